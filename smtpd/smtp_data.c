/*
 * The scanner of DATA.  Runs of ordinary lines are found 16 bytes at a time and
 * copied whole; only bytes around line ends, dots and defects go through the
 * state machine one by one.
 */
#include "smtpd/smtp_data.h"

#include "common/smtp_verdict.h"

#include <string.h>

enum state {
	STATE_LINE_START, /* after CR LF */
	STATE_TEXT,
	STATE_SEAM,   /* after bytes of another's, perhaps a CR */
	STATE_CR,     /* after a CR that is not out yet */
	STATE_DOT,    /* after "." at the start of a line, not out */
	STATE_DOT_CR, /* after ".", CR there; neither is out */
	STATE_END
};

struct output {
	uint8_t *data;
	size_t size;
};

void
smtp_data_init(struct smtp_data *data, bool is_normalising)
{
	memset(data, 0, sizeof(*data));
	data->state = STATE_LINE_START;
	data->is_normalising = is_normalising;
}

void
smtp_data_init_chunks(struct smtp_data *data, bool is_normalising)
{
	smtp_data_init(data, is_normalising);
	data->is_counted = true;
}

static void
put(struct output *out, uint8_t byte)
{
	out->data[out->size++] = byte;
}

static void
put_bare(struct smtp_data *data, struct output *out, uint8_t byte)
{
	data->defects |= byte == '\r' ? DEFECT_BARE_CR : DEFECT_BARE_LF;
	if (data->is_normalising) {
		put(out, '\r');
		put(out, '\n');
	} else {
		put(out, byte);
	}
}

/* A byte inside a line. */
static void
step_text(struct smtp_data *data, struct output *out, uint8_t byte)
{
	data->state = STATE_TEXT;
	if (byte == '\r') {
		data->state = STATE_CR;
	} else if (byte == '\n') {
		put_bare(data, out, byte);
	} else {
		if (byte == '\0')
			data->defects |= DEFECT_NUL;
		put(out, byte);
	}
}

/* One byte: at most four come out (a bare CR and a bare LF, normalised). */
static void
step(struct smtp_data *data, struct output *out, uint8_t byte)
{
	switch ((enum state)data->state) {
	case STATE_LINE_START:
		if (byte == '.' && !data->is_counted)
			data->state = STATE_DOT;
		else
			step_text(data, out, byte);
		break;
	case STATE_DOT:
		if (byte == '\r')
			data->state = STATE_DOT_CR;
		else
			step_text(data, out, byte);
		break;
	case STATE_DOT_CR:
		if (byte == '\n') {
			data->state = STATE_END;
			break;
		}
		put_bare(data, out, '\r');
		step_text(data, out, byte);
		break;
	case STATE_CR:
		if (byte == '\n') {
			put(out, '\r');
			put(out, '\n');
			data->state = STATE_LINE_START;
			break;
		}
		put_bare(data, out, '\r');
		step_text(data, out, byte);
		break;
	case STATE_SEAM:
		if (byte == '\n') {
			put(out, byte);
			data->state = STATE_LINE_START;
			break;
		}
		step_text(data, out, byte);
		break;
	case STATE_TEXT:
		step_text(data, out, byte);
		break;
	case STATE_END:
		break;
	}
}

typedef uint8_t block __attribute__((vector_size(16)));

/* The first CR or LF, or `end`: 16 bytes at a time, once over each byte, so
 * that no mixture of line ends makes it slow. */
static const uint8_t *
find_line_byte(const uint8_t *p, const uint8_t *end)
{
	block bytes, found;
	uint64_t halves[2];

	for (; end - p >= (ptrdiff_t)sizeof(bytes); p += sizeof(bytes)) {
		memcpy(&bytes, p, sizeof(bytes));
		found = (block)((bytes == '\r') | (bytes == '\n'));
		memcpy(halves, &found, sizeof(halves));
		if ((halves[0] | halves[1]) != 0)
			break;
	}
	while (p < end && *p != '\r' && *p != '\n')
		p++;
	return p;
}

/*
 * How many of `size` bytes, from inside or the start of a line, are text and
 * proper line ends without a dot at a line's start: they come out as they are.
 * *at_start says whether the run ends after CR LF.
 */
static size_t
plain_run(const uint8_t *in, size_t size, bool has_dots, bool *at_start)
{
	const uint8_t *p = in, *end = in + size, *found;

	while (p < end && !(has_dots && *at_start && *p == '.')) {
		found = find_line_byte(p, end);
		if (found > p)
			*at_start = false;
		p = found;
		if (end - p < 2 || p[0] != '\r' || p[1] != '\n')
			break;
		*at_start = true;
		p += 2;
	}
	return (size_t)(p - in);
}

/* The fast way, where it is open. Bytes used, and put out. */
static size_t
copy_plain(
    struct smtp_data *data, const uint8_t *in, size_t size, struct output *out)
{
	bool at_start = data->state == STATE_LINE_START;
	size_t run;

	if (!at_start && data->state != STATE_TEXT)
		return 0;
	run = plain_run(in, size, !data->is_counted, &at_start);
	if (run == 0)
		return 0;
	if (memchr(in, '\0', run) != NULL)
		data->defects |= DEFECT_NUL;
	memcpy(out->data + out->size, in, run);
	out->size += run;
	data->state = at_start ? STATE_LINE_START : STATE_TEXT;
	return run;
}

enum smtp_data_step
smtp_data_scan(struct smtp_data *data, const uint8_t *in, size_t in_size,
    size_t *used, uint8_t *out, size_t out_size, size_t *made)
{
	struct output output = { out, 0 };
	size_t at = 0, room, left;

	while (at < in_size && data->state != STATE_END) {
		room = out_size - output.size;
		if (room < SMTP_DATA_MIN_ROOM)
			break;
		left = in_size - at;
		at += copy_plain(
		    data, in + at, left < room ? left : room, &output);
		/* Where line ends stand close, a look for text costs more. */
		while (at < in_size && data->state != STATE_END &&
		       out_size - output.size >= SMTP_DATA_MIN_ROOM) {
			step(data, &output, in[at++]);
			if (at == in_size || (in[at] != '\r' && in[at] != '\n'))
				break;
		}
	}
	*used = at;
	*made = output.size;
	data->size += output.size;
	if (data->state == STATE_END)
		return SMTP_DATA_END;
	return at < in_size ? SMTP_DATA_FULL : SMTP_DATA_MORE;
}

size_t
smtp_data_flush(struct smtp_data *data, uint8_t *out)
{
	struct output output = { out, 0 };

	if (data->state == STATE_CR)
		put(&output, '\r');
	data->state = STATE_SEAM;
	data->size += output.size;
	return output.size;
}

size_t
smtp_data_finish(struct smtp_data *data, uint8_t *out)
{
	struct output output = { out, 0 };

	if (data->state == STATE_CR)
		put_bare(data, &output, '\r');
	data->state = STATE_END;
	data->size += output.size;
	return output.size;
}
