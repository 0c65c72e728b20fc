/*
 * See body_structure.h.  Each part's Content fields are read from the copy
 * of its header that the MIME parser kept; the first field of a name counts.
 */
#include "imapd/body_structure.h"

#include "common/mail_header.h"
#include "common/mail_token.h"
#include "imapd/envelope.h"

struct content {
	bool is_read;
	struct text type; /* data NULL if there is no Content-Type */
	struct text subtype;
	struct mail_parameter *parameters;
	struct text id;
	struct text description;
	struct text encoding;
	struct text md5;
	struct text disposition;
	struct mail_parameter *disposition_parameters;
	struct mail_parameter *languages; /* value only */
	struct text location;
};

struct context {
	struct pool *pool;
	struct content *contents; /* of each part, by its number */
	struct buf *out;
	bool is_extended;
	bool is_rev2;
};

static int put_part(const struct context *c, const struct mime_part *part);

static struct text
keep(const struct buf *buf, struct pool *pool)
{
	return text_make(
	    pool_text(pool, (const char *)buf->data, buf->size), buf->size);
}

static struct text
get_text(struct text value, struct buf *space, struct pool *pool)
{
	mail_header_unfold(value, true, space);
	return keep(space, pool);
}

/* One that is malformed counts as none at all (RFC 2045 5.2). */
static void
read_type(struct content *content, struct text value, struct buf *space,
    struct pool *pool)
{
	struct mail_tokens tokens;
	struct text all;
	ptrdiff_t slash;

	mail_tokens_init(&tokens, value, NULL);
	mail_tokens_skip_space(&tokens);
	content->type = TEXT("text");
	content->subtype = TEXT("plain");
	if (mail_tokens_get_content_type(&tokens, space) < 0)
		return;
	all = keep(space, pool);
	slash = text_find_byte(all, '/');
	content->type = text_make(all.data, (size_t)slash);
	content->subtype = text_skip(all, (size_t)slash + 1);
	content->parameters = mail_tokens_get_parameters(&tokens, pool);
}

static void
read_encoding(struct content *content, struct text value, struct buf *space,
    struct pool *pool)
{
	struct mail_tokens tokens;

	mail_tokens_init(&tokens, value, NULL);
	mail_tokens_skip_space(&tokens);
	if (mail_tokens_get_mime_token(&tokens, space) >= 0 &&
	    mail_tokens_skip_space(&tokens) == 0 && space->size > 0)
		content->encoding = keep(space, pool);
}

static void
read_disposition(struct content *content, struct text value, struct buf *space,
    struct pool *pool)
{
	struct mail_tokens tokens;

	mail_tokens_init(&tokens, value, NULL);
	mail_tokens_skip_space(&tokens);
	if (mail_tokens_get_mime_token(&tokens, space) < 0)
		return;
	content->disposition = keep(space, pool);
	content->disposition_parameters =
	    mail_tokens_get_parameters(&tokens, pool);
}

static void
read_languages(struct content *content, struct text value, struct buf *space,
    struct pool *pool)
{
	struct mail_parameter **end = &content->languages;
	struct mail_tokens tokens;

	mail_tokens_init(&tokens, value, NULL);
	mail_tokens_skip_space(&tokens);
	while (mail_tokens_get_atom(&tokens, space) >= 0) {
		*end = pool_alloc(pool, 1, sizeof(**end));
		(*end)->value = keep(space, pool);
		end = &(*end)->next;
		buf_reset(space);
		if (!mail_tokens_at(&tokens, ','))
			break;
		tokens.next++;
		mail_tokens_skip_space(&tokens);
	}
}

static void
read_field(struct content *content, const struct mail_field *field,
    struct buf *space, struct pool *pool)
{
	struct text name = text_skip(field->name, sizeof("Content-") - 1);

	buf_reset(space);
	if (text_is_nocase(name, "Type") && content->type.data == NULL)
		read_type(content, field->value, space, pool);
	else if (text_is_nocase(name, "Transfer-Encoding") &&
		 content->encoding.data == NULL)
		read_encoding(content, field->value, space, pool);
	else if (text_is_nocase(name, "Disposition") &&
		 content->disposition_parameters == NULL)
		read_disposition(content, field->value, space, pool);
	else if (text_is_nocase(name, "Language") && content->languages == NULL)
		read_languages(content, field->value, space, pool);
	else if (text_is_nocase(name, "ID") && content->id.data == NULL)
		content->id = get_text(field->value, space, pool);
	else if (text_is_nocase(name, "MD5") && content->md5.data == NULL)
		content->md5 = get_text(field->value, space, pool);
	else if (text_is_nocase(name, "Location") &&
		 content->location.data == NULL)
		content->location = get_text(field->value, space, pool);
	else if (text_is_nocase(name, "Description") &&
		 content->description.data == NULL)
		content->description = get_text(field->value, space, pool);
}

/* Content fields count only in MIME: below a multipart, or if the header
 * says MIME-Version or Content-Type. */
static void
read_content(
    struct content *content, const struct mime_part *part, struct pool *pool)
{
	bool is_mime =
	    part->parent != NULL && part->parent->kind == MIME_MULTIPART;
	struct text rest = part->header_text;
	struct mail_field field;
	struct buf space;

	buf_init(&space, MAIL_MAX_VALUE);
	while (mail_header_next(&rest, &field)) {
		if (text_is_nocase(field.name, "MIME-Version") ||
		    text_is_nocase(field.name, "Content-Type"))
			is_mime = true;
		if (text_starts_nocase(field.name, "Content-"))
			read_field(content, &field, &space, pool);
	}
	buf_clear(&space);
	if (!is_mime)
		*content = (struct content){ 0 };
}

static int
put_parameters(
    const struct context *c, const struct mail_parameter *p, bool wants_charset)
{
	const char *separator = "(";

	if (p == NULL && !wants_charset)
		return buf_put_text(c->out, "NIL");
	for (; p != NULL; p = p->next) {
		if (text_is_nocase(p->name, "charset"))
			wants_charset = false;
		buf_put_text(c->out, separator);
		envelope_put_nstring(c->out, p->name);
		buf_put_byte(c->out, ' ');
		envelope_put_nstring(c->out, p->value);
		separator = " ";
	}
	if (wants_charset)
		buf_put_format(c->out, "%s\"charset\" \"us-ascii\"", separator);
	return buf_put_byte(c->out, ')');
}

static int
put_next(const struct context *c, struct text value)
{
	buf_put_byte(c->out, ' ');
	return envelope_put_nstring(c->out, value);
}

/* What BODYSTRUCTURE adds to both kinds of part. */
static int
put_extension(const struct context *c, const struct content *content)
{
	if (content->disposition.data == NULL)
		buf_put_text(c->out, " NIL");
	else {
		buf_put_text(c->out, " (");
		envelope_put_nstring(c->out, content->disposition);
		buf_put_byte(c->out, ' ');
		put_parameters(c, content->disposition_parameters, false);
		buf_put_byte(c->out, ')');
	}
	if (content->languages == NULL)
		buf_put_text(c->out, " NIL");
	else {
		const char *separator = " (";

		for (const struct mail_parameter *p = content->languages;
		     p != NULL; p = p->next) {
			buf_put_text(c->out, separator);
			envelope_put_nstring(c->out, p->value);
			separator = " ";
		}
		buf_put_byte(c->out, ')');
	}
	return put_next(c, content->location);
}

static int
put_multipart(const struct context *c, const struct mime_part *part,
    const struct content *content)
{
	for (const struct mime_part *p = part->child; p != NULL; p = p->next)
		if (put_part(c, p) < 0)
			return -1;
	if (part->child == NULL) /* RFC 3501 demands one */
		buf_put_format(c->out,
		    "(\"text\" \"plain\" (\"charset\" \"us-ascii\") NIL NIL "
		    "\"7bit\" 0 0%s)",
		    c->is_extended ? " NIL NIL NIL NIL" : "");
	put_next(c, content->subtype);
	if (!c->is_extended)
		return 0;
	buf_put_byte(c->out, ' ');
	put_parameters(c, content->parameters, false);
	return put_extension(c, content);
}

/* A leaf that says it is more: beyond a limit of the parser, or encoded. */
static bool
is_truncated(const struct context *c, const struct mime_part *part,
    const struct content *content)
{
	if (part->is_global)
		return c->is_rev2 && part->kind == MIME_LEAF;
	if (content->type.data == NULL)
		return part->parent != NULL && part->parent->is_digest;
	return text_is_nocase(content->type, "multipart") ||
	       (text_is_nocase(content->type, "message") &&
		   text_is_nocase(content->subtype, "rfc822"));
}

static bool
put_type(const struct context *c, const struct mime_part *part,
    const struct content *content)
{
	if (part->kind == MIME_MESSAGE && !part->is_global)
		buf_put_text(c->out, "\"message\" \"rfc822\"");
	else if (is_truncated(c, part, content))
		buf_put_text(c->out, "\"application\" \"octet-stream\"");
	else if (content->type.data == NULL) {
		buf_put_text(c->out, "\"text\" \"plain\"");
		return true;
	} else {
		envelope_put_nstring(c->out, content->type);
		put_next(c, content->subtype);
		return text_is_nocase(content->type, "text");
	}
	return false;
}

static int
put_leaf(const struct context *c, const struct mime_part *part,
    const struct content *content)
{
	bool is_text = put_type(c, part, content);
	bool is_message =
	    part->kind == MIME_MESSAGE && (!part->is_global || c->is_rev2);

	buf_put_byte(c->out, ' ');
	put_parameters(c, content->parameters, is_text);
	put_next(c, content->id);
	put_next(c, content->description);
	put_next(c,
	    content->encoding.data != NULL ? content->encoding : TEXT("7bit"));
	buf_put_format(c->out, " %ju", (uintmax_t)part->body.wire);
	if (is_message) {
		buf_put_byte(c->out, ' ');
		envelope_format(part->child->header_text, c->pool, c->out);
		buf_put_byte(c->out, ' ');
		if (put_part(c, part->child) < 0)
			return -1;
	}
	if (is_text || is_message)
		buf_put_format(c->out, " %u", part->body.lines);
	if (!c->is_extended)
		return 0;
	put_next(c, content->md5);
	return put_extension(c, content);
}

static int
put_part(const struct context *c, const struct mime_part *part)
{
	struct content *content = &c->contents[part->number];

	if (!content->is_read)
		read_content(content, part, c->pool);
	content->is_read = true;
	buf_put_byte(c->out, '(');
	if ((part->kind == MIME_MULTIPART ? put_multipart(c, part, content)
					  : put_leaf(c, part, content)) < 0)
		return -1;
	return buf_put_byte(c->out, ')');
}

static bool
has_global(const struct mime_part *part)
{
	if (part->is_global)
		return true;
	for (part = part->child; part != NULL; part = part->next)
		if (has_global(part))
			return true;
	return false;
}

static int
put_both(struct context *c, const struct mime_part *root, struct buf *body,
    struct buf *structure)
{
	c->out = body;
	c->is_extended = false;
	if (put_part(c, root) < 0)
		return -1;
	c->out = structure;
	c->is_extended = true;
	return put_part(c, root);
}

int
body_structure_format(const struct mime_part *root, struct pool *pool,
    struct buf *body, struct buf *structure)
{
	struct context c = { .pool = pool };

	c.contents =
	    pool_alloc(pool, mime_part_count(root), sizeof(*c.contents));
	if (put_both(&c, root, body, structure) < 0)
		return -1;
	if (!has_global(root))
		return 0;
	c.is_rev2 = true;
	if (buf_put_byte(body, '\0') < 0 || buf_put_byte(structure, '\0') < 0)
		return -1;
	return put_both(&c, root, body, structure);
}

struct text
body_structure_form(struct text forms, bool is_rev2)
{
	ptrdiff_t end = text_find_byte(forms, '\0');

	if (end < 0)
		return forms;
	return is_rev2 ? text_skip(forms, (size_t)end + 1)
		       : text_make(forms.data, (size_t)end);
}
