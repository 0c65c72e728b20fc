"""The scaling rows of tests/bench/run: what the store's work costs as it grows,
by the store's own benches, each on a fresh folder and without a client.

scaling-messages   10,000, 100,000 and 1,000,000 messages, 1,000 snapshots
scaling-marks      10, 1,000 and 100,000 snapshots of 100,000 messages
scaling-churn      30 rounds in which 5 % of the messages are forgotten, the
                   oldest or any, and as many come

Times are milliseconds; of expiry and capture those of 1,000 messages.
"""
import re
import statistics
import subprocess
import tempfile

MESSAGES = (10000, 100000, 1000000)
MARKS = (10, 1000, 100000)
OF_MARKS = 100000     # messages, of which there are so many marks
FORGOTTEN = 74000     # rows
ROUNDS = 30


def output_of(build, tool, folder, *words):
    """Of a tool that wants an empty folder and leaves it full."""
    with tempfile.TemporaryDirectory(dir=folder) as name:
        done = subprocess.run(
            [str(build / "tests/bench" / tool), name, *map(str, words)],
            check=True, text=True, stdout=subprocess.PIPE, cwd=name)
    return done.stdout


def store(build, folder, messages, marks):
    """By name, in the order in which it was measured."""
    figures = {}
    for line in output_of(build, "store_bench", folder, messages,
                          marks).splitlines():
        name, _, _, ms = line.split("\t")
        figures[name] = float(ms)
    return figures


def expiry(build, folder, rows, marks):
    last = output_of(build, "expire_bench", folder, rows,
                     marks).splitlines()[-1]
    said = dict(re.findall(r"(\w+)=([\d.]+)", last))
    if int(said["rows"]) < rows * 99 // 100:
        raise ValueError("not all were forgotten: " + last)
    return {"expiry of 1,000": float(said["work_ms"]) * 1000 / rows,
            "  and its commits": (float(said["with_commits_ms"]) -
                                  float(said["work_ms"])) * 1000 / rows}


def table(head, columns):
    """columns: by what grew, the figures."""
    names = [name for name in next(iter(columns.values()))]
    print("\n%-26s" % head + "".join("%12s" % f"{one:,}" for one in columns))
    for name in names:
        values = [one.get(name) for one in columns.values()]
        print("%-26s" % name + "".join(
            "%12s" % "-" if value is None else "%12.3f" % value
            for value in values))


def messages(build, folder, counts=MESSAGES):
    columns = {}
    for count in counts:
        columns[count] = store(build, folder, count, 1000)
        columns[count].update(expiry(build, folder, count, 0))
    table("messages (ms)", columns)


def marks(build, folder, counts=MARKS):
    columns = {}
    for count in reversed(counts):
        columns[count] = store(build, folder, OF_MARKS, count)
        columns[count].update(expiry(build, folder, FORGOTTEN, count))
    table("snapshots (ms)", columns)


def churn_rounds(out):
    """Bytes before, and of each round: seconds until all had come, and until
    nothing was to be collected; dead %; MiB of index and segments."""
    before = float(re.search(r"^size .*segments ([\d.]+) MiB", out, re.M)[1])
    rounds = [[float(part) for part in one] for one in re.findall(
        r"^round +\d+ appended ([\d.]+) s, collected ([\d.]+) s, dead ([\d.]+) "
        r"% +index +([\d.]+) MiB, segments +([\d.]+)", out, re.M)]
    if len(rounds) != ROUNDS:
        raise ValueError("rounds are missing")
    return before, rounds


def churn(build, folder, maildir):
    """The oldest bodies go; any go; in segments as they are, and in small ones."""
    for what, mib, words in (("the oldest", 0, ()), ("any", 0, ("any",)),
                             ("the oldest, in segments of 16 MiB", 16, ())):
        before, rounds = churn_rounds(output_of(
            build, "seal_bench", folder, maildir, ROUNDS, mib, *words))
        print(f"\nchurn of 5 %: {what}; segments {before:.1f} MiB before")
        for first in range(0, ROUNDS, 10):
            came, took, dead, index, size = zip(*rounds[first:first + 10])
            print("rounds %2d to %2d  median %.2f s until it had come, %.2f "
                  "until all was collected  dead at most %.1f %%  segments "
                  "%.1f MiB at the median (%+.1f %%), %.1f at the end (%+.1f "
                  "%%)  index %.1f" % (
                      first + 1, first + 10, statistics.median(came),
                      statistics.median(took), max(dead),
                      statistics.median(size),
                      100 * (statistics.median(size) / before - 1), size[-1],
                      100 * (size[-1] / before - 1), index[-1]))
