/*
 * See mime_parser.h.  The parser keeps a mark (bytes, line ends, line ends
 * without CR) of where it stands; every span is the difference of two marks,
 * so nothing is added up twice.  Work is by lines: at the start of a line
 * that begins with "--" the first bytes are held until they tell whether it
 * is a boundary, everything else is only searched for its line end.
 */
#include "common/mime_parser.h"

#include "common/buf.h"
#include "common/mail_header.h"
#include "common/mail_token.h"
#include "common/memory.h"

#include <string.h>

enum {
	HEAD_SIZE = MIME_MAX_BOUNDARY + 6, /* "--" boundary "--" CR LF */
	MAX_OPEN = MIME_MAX_DEPTH
};

enum state {
	IN_HEADER,
	BEHIND_HEADER,
	IN_BODY,
	IN_BOUNDARY_LINE
};

struct mark {
	uint64_t offset;
	uint64_t bare; /* LF without CR */
	uint32_t lines;
};

struct boundary {
	struct mime_part *part;
	size_t size;
	char text[MIME_MAX_BOUNDARY];
};

struct mime_parser {
	struct pool *pool;
	struct mime_part *root;
	struct mime_part *part; /* innermost open one */
	struct mime_part *cut;  /* its header's line end is the boundary's */
	struct mark starts[MAX_OPEN + 1]; /* of header or body, by depth */
	uint32_t depth;
	uint32_t part_count;
	size_t kept_total;
	enum state state;
	struct mark here;
	struct mark cut_mark;
	uint8_t newline_size; /* of the last line, if a boundary may take it */
	bool at_line_start;
	char last; /* byte */
	size_t head_size;
	char head[HEAD_SIZE];
	uint64_t line_size; /* of the header line so far */
	struct buf header;
	uint32_t boundary_count;
	struct boundary boundaries[MAX_OPEN + 1];
};

static void
set_span(struct mime_span *span, struct mark from, struct mark to)
{
	span->offset = from.offset;
	span->size = to.offset - from.offset;
	span->wire = span->size + (to.bare - from.bare);
	span->lines = to.lines - from.lines;
}

static struct mark
before_newline(const struct mime_parser *p)
{
	struct mark mark = p->here;

	if (p->newline_size > 0) {
		mark.offset -= p->newline_size;
		mark.lines--;
		mark.bare -= p->newline_size == 1;
	}
	return mark;
}

static void
start_header(struct mime_parser *p, struct mark at)
{
	p->starts[p->depth] = at;
	p->newline_size = 0;
	p->line_size = 0;
	buf_reset(&p->header);
	p->state = IN_HEADER;
}

static void
add_part(struct mime_parser *p, struct mark at)
{
	struct mime_part *part = pool_alloc(p->pool, 1, sizeof(*part));
	struct mime_part **end = &p->part->child;

	if (p->part->last_child != NULL)
		end = &p->part->last_child->next;
	*end = part;
	p->part->last_child = part;
	part->parent = p->part;
	part->number = p->part_count++;
	p->part = part;
	p->depth++;
	start_header(p, at);
}

/* Boundaries */

static void
read_boundary(struct mime_parser *p, struct mail_tokens *tokens)
{
	struct mail_parameter *parameter;
	struct boundary *b;

	if (p->depth + 1 >= MIME_MAX_DEPTH) {
		p->part->kind = MIME_LEAF;
		return;
	}
	for (parameter = mail_tokens_get_parameters(tokens, p->pool);
	     parameter != NULL; parameter = parameter->next)
		if (text_is_nocase(parameter->name, "boundary"))
			break;
	if (parameter == NULL)
		return;
	b = &p->boundaries[p->boundary_count++];
	b->part = p->part;
	b->size = parameter->value.size;
	if (b->size > sizeof(b->text))
		b->size = sizeof(b->text);
	memcpy(b->text, parameter->value.data, b->size);
}

/* The open boundary that a line begins with, NULL if none; innermost first,
 * the longest wins, but one that is the whole line wins at once. */
static struct boundary *
find_boundary(struct mime_parser *p, const char *line, size_t size)
{
	struct boundary *best = NULL;
	size_t full = size;

	if (size < 2 || line[0] != '-' || line[1] != '-' ||
	    p->part_count >= MIME_MAX_PARTS)
		return NULL;
	line += 2;
	full -= 2;
	if (full > 0 && line[full - 1] == '\n') {
		full--;
		if (full > 0 && line[full - 1] == '\r')
			full--;
	}
	for (uint32_t i = p->boundary_count; i > 0; i--) {
		struct boundary *b = &p->boundaries[i - 1];

		if (b->size > full || memcmp(b->text, line, b->size) != 0 ||
		    (best != NULL && best->size >= b->size))
			continue;
		best = b;
		if (b->size == full ||
		    (b->size + 2 == full && full > 2 &&
			memcmp(line + b->size, "--", 2) == 0))
			break;
	}
	return best;
}

/* Headers */

/* RFC 6532 3.7 permits it for message/global: no parts are to be seen. */
static bool
is_encoded(struct text header)
{
	struct mail_tokens tokens;
	struct mail_field field;
	struct text encoding;
	struct buf value;
	bool result;

	if (!mail_header_find(header, "Content-Transfer-Encoding", &field))
		return false;
	buf_init(&value, MAIL_MAX_VALUE);
	mail_tokens_init(&tokens, field.value, NULL);
	mail_tokens_skip_space(&tokens);
	(void)mail_tokens_get_mime_token(&tokens, &value);
	encoding = text_make(value.data, value.size);
	result = text_is_nocase(encoding, "base64") ||
		 text_is_nocase(encoding, "quoted-printable");
	buf_clear(&value);
	return result;
}

static void
find_kind(struct mime_parser *p, struct text header, bool is_complete)
{
	struct mime_part *part = p->part;
	struct mail_tokens tokens;
	struct mail_field field;
	struct text type;
	struct buf value;
	int result;

	if (!mail_header_find(header, "Content-Type", &field)) {
		if (part->parent != NULL && part->parent->is_digest)
			part->kind = MIME_MESSAGE;
		return;
	}
	buf_init(&value, MAIL_MAX_VALUE);
	mail_tokens_init(&tokens, field.value, NULL);
	mail_tokens_skip_space(&tokens);
	result = mail_tokens_get_content_type(&tokens, &value);
	type = text_make(value.data, value.size);
	part->is_global = text_is_nocase(type, "message/global");
	if (text_is_nocase(type, "message/rfc822") ||
	    (part->is_global && !is_encoded(header)))
		part->kind = MIME_MESSAGE;
	else if (text_starts_nocase(type, "multipart/")) {
		part->kind = MIME_MULTIPART;
		part->is_digest = text_is_nocase(type, "multipart/digest");
		if (is_complete && result >= 0)
			read_boundary(p, &tokens);
	}
	buf_clear(&value);
}

static struct text
keep_header(struct mime_parser *p)
{
	size_t size = p->header.size;

	if (p->part != p->root) {
		if (p->kept_total + size > MIME_MAX_KEPT_TOTAL)
			size = MIME_MAX_KEPT_TOTAL - p->kept_total;
		p->kept_total += size;
	}
	return text_make(
	    pool_text(p->pool, (const char *)p->header.data, size), size);
}

/* The header of the open part ends at `end`; `is_complete` if an empty line
 * said so. */
static void
end_header(struct mime_parser *p, struct mark end)
{
	struct mime_part *part = p->part;

	set_span(&part->header, p->starts[p->depth], end);
	p->starts[p->depth] = end;
	p->newline_size = 0;
	p->state = IN_BODY;
	if (part->kind != MIME_MESSAGE)
		return;
	if (p->depth + 1 >= MIME_MAX_DEPTH || p->part_count >= MIME_MAX_PARTS)
		part->kind = MIME_LEAF;
	else
		add_part(p, end);
}

static void
end_header_text(struct mime_parser *p, bool is_complete)
{
	p->part->header_text = keep_header(p);
	find_kind(p, p->part->header_text, is_complete);
}

/* Bodies */

static void
close_part(struct mime_parser *p, struct mark end)
{
	set_span(&p->part->body, p->starts[p->depth], end);
	p->part = p->part->parent;
	if (p->part == NULL)
		return;
	p->depth--;
}

/* A boundary of `b` was met in the body: everything below its part ends. */
static void
end_parts(struct mime_parser *p, struct boundary *b, bool is_last)
{
	struct mark end = p->cut != NULL ? p->cut_mark : before_newline(p);
	uint32_t kept = (uint32_t)(b - p->boundaries) + (is_last ? 0 : 1);

	while (p->part != b->part) {
		bool was_cut = p->part == p->cut;

		close_part(p, end);
		if (was_cut)
			end = p->here;
	}
	p->cut = NULL;
	p->boundary_count = kept;
	p->state = IN_BOUNDARY_LINE;
}

static void
end_boundary_line(struct mime_parser *p)
{
	p->newline_size = 0;
	p->state = IN_BODY;
	if (p->boundary_count > 0 &&
	    p->boundaries[p->boundary_count - 1].part == p->part)
		add_part(p, p->here);
}

/* Decides what the line that begins with `line` is; afterwards the state is
 * the one in which it is read. */
static void
start_line(struct mime_parser *p, const char *line, size_t size)
{
	struct boundary *b = find_boundary(p, line, size);

	while (p->state == BEHIND_HEADER || (p->state == IN_HEADER && b)) {
		bool is_cut = b != NULL && b->part != p->part;

		if (p->state == IN_HEADER)
			end_header_text(p, false);
		if (is_cut && p->cut == NULL && p->newline_size > 0) {
			p->cut = p->part;
			p->cut_mark = before_newline(p);
		}
		end_header(p, p->cut != NULL ? p->cut_mark : p->here);
	}
	if (p->state == IN_BODY && b != NULL)
		end_parts(p, b,
		    size >= b->size + 4 &&
			memcmp(line + 2 + b->size, "--", 2) == 0);
	p->at_line_start = false;
}

static void
end_line(struct mime_parser *p, bool has_cr)
{
	p->here.lines++;
	p->here.bare += !has_cr;
	p->newline_size = has_cr ? 2 : 1;
	p->at_line_start = true;
	if (p->state == IN_BOUNDARY_LINE)
		end_boundary_line(p);
	else if (p->state == IN_HEADER) {
		if (p->line_size == p->newline_size) {
			end_header_text(p, true);
			p->state = BEHIND_HEADER;
		}
		p->line_size = 0;
	}
}

/* Bytes up to the end of the line or of the chunk; how many were taken. */
static size_t
take_line(struct mime_parser *p, const char *data, size_t size)
{
	const char *end = memchr(data, '\n', size);
	size_t taken = end == NULL ? size : (size_t)(end - data) + 1;
	char before = taken > 1 && end != NULL ? end[-1] : p->last;

	if (p->state == IN_HEADER) {
		size_t room = p->header.max_size - p->header.size;

		buf_put(&p->header, data, taken < room ? taken : room);
		p->line_size += taken;
	}
	p->here.offset += taken;
	p->last = data[taken - 1];
	if (end != NULL)
		end_line(p, before == '\r');
	return taken;
}

/* Body lines that cannot be boundaries, as fast as memchr goes. */
static size_t
take_body(struct mime_parser *p, const char *data, size_t size)
{
	const char *cur = data, *end = data + size, *next;
	bool stop_at_dash = p->boundary_count > 0;
	uint32_t lines = 0;
	uint64_t bare = 0;

	while ((next = memchr(cur, '\n', (size_t)(end - cur))) != NULL) {
		lines++;
		bare += (next > data ? next[-1] : p->last) != '\r';
		cur = next + 1;
		if (stop_at_dash && (cur == end || *cur == '-'))
			break;
		if (cur == end)
			break;
	}
	if (next == NULL)
		cur = end;
	p->here.offset += (uint64_t)(cur - data);
	p->here.lines += lines;
	p->here.bare += bare;
	p->at_line_start = cur[-1] == '\n';
	if (p->at_line_start)
		p->newline_size =
		    (cur - data > 1 ? cur[-2] : p->last) == '\r' ? 2 : 1;
	p->last = cur[-1];
	return (size_t)(cur - data);
}

static size_t
take(struct mime_parser *p, const char *data, size_t size)
{
	return p->state == IN_BODY ? take_body(p, data, size)
				   : take_line(p, data, size);
}

static void
take_head(struct mime_parser *p)
{
	size_t done = 0;

	start_line(p, p->head, p->head_size);
	while (done < p->head_size)
		done += take(p, p->head + done, p->head_size - done);
	p->head_size = 0;
}

/* Holds bytes of a line's start; how many were taken from `data`. */
static size_t
fill_head(struct mime_parser *p, const char *data, size_t size)
{
	size_t room = HEAD_SIZE - p->head_size;
	size_t count = size < room ? size : room;
	const char *end = memchr(data, '\n', count);

	if (end != NULL)
		count = (size_t)(end - data) + 1;
	memcpy(p->head + p->head_size, data, count);
	p->head_size += count;
	if (end != NULL || p->head_size == HEAD_SIZE)
		take_head(p);
	return count;
}

void
mime_parser_feed(struct mime_parser *p, const void *data, size_t size)
{
	const char *next = data, *end = next + size;

	while (next < end) {
		if (p->head_size > 0 || (p->at_line_start && *next == '-' &&
					    p->boundary_count > 0)) {
			next += fill_head(p, next, (size_t)(end - next));
			continue;
		}
		if (p->at_line_start)
			start_line(p, next, 1);
		next += take(p, next, (size_t)(end - next));
	}
}

struct mime_parser *
mime_parser_new(struct pool *pool)
{
	struct mime_parser *p = memory_new(1, sizeof(*p));

	p->pool = pool;
	p->root = p->part = pool_alloc(pool, 1, sizeof(*p->root));
	p->part_count = 1;
	p->at_line_start = true;
	buf_init(&p->header, MIME_MAX_KEPT_HEADER);
	start_header(p, p->here);
	return p;
}

struct mime_part *
mime_parser_finish(struct mime_parser **parser)
{
	struct mime_parser *p = *parser;
	struct mime_part *root = p->root;

	if (p->head_size > 0)
		take_head(p);
	while (p->state == IN_HEADER || p->state == BEHIND_HEADER) {
		if (p->state == IN_HEADER)
			end_header_text(p, false);
		end_header(p, p->here);
	}
	while (p->part != NULL)
		close_part(p, p->here);
	buf_clear(&p->header);
	memory_free(parser);
	return root;
}

struct mime_part *
mime_parse(struct text message, struct pool *pool)
{
	struct mime_parser *parser = mime_parser_new(pool);

	if (message.size > 0)
		mime_parser_feed(parser, message.data, message.size);
	return mime_parser_finish(&parser);
}

uint32_t
mime_part_count(const struct mime_part *root)
{
	uint32_t count = 1;

	for (const struct mime_part *c = root->child; c != NULL; c = c->next)
		count += mime_part_count(c);
	return count;
}

uint64_t
mime_part_wire_size(const struct mime_part *part)
{
	return part->header.wire + part->body.wire;
}
