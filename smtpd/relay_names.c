/* See relay_names.h. */
#include "smtpd/relay_names.h"

#include "common/memory.h"
#include "common/table.h"

struct question {
	uint64_t number;
	enum dns_type type;
	char name[DNS_MAX_NAME + 1];
	relay_names_found *found;
	void *context;
};

struct relay_names {
	struct table *questions;
	struct channel *resolver; /* NULL: away */
	uint64_t last;
};

struct relay_names *
relay_names_new(void)
{
	struct relay_names *names = memory_new(1, sizeof(*names));

	names->questions = table_new();
	return names;
}

void
relay_names_free(struct relay_names **names)
{
	size_t position = 0;
	void *question;

	if (*names == NULL)
		return;
	while (
	    table_next((*names)->questions, &position, NULL, NULL, &question))
		memory_free(&question);
	table_free(&(*names)->questions);
	memory_free(names);
}

static void
send(struct relay_names *names, const struct question *question)
{
	struct message message = { .type = MESSAGE_relay_lookup };

	if (names->resolver == NULL)
		return;
	message.relay_lookup.tag = question->number;
	message.relay_lookup.type = (uint16_t)question->type;
	message.relay_lookup.name = text_of(question->name);
	(void)channel_send(names->resolver, &message, NULL, 0);
}

void
relay_names_use(struct relay_names *names, struct channel *resolver)
{
	size_t position = 0;
	void *question;

	names->resolver = resolver;
	while (table_next(names->questions, &position, NULL, NULL, &question))
		send(names, question);
}

uint64_t
relay_names_ask(struct relay_names *names, enum dns_type type, struct text name,
    relay_names_found *found, void *context)
{
	struct question *question = memory_new(1, sizeof(*question));

	question->number = ++names->last;
	question->type = type;
	(void)text_copy(name, question->name, sizeof(question->name));
	question->found = found;
	question->context = context;
	(void)table_put_u64(names->questions, question->number, question);
	send(names, question);
	return question->number;
}

void
relay_names_forget(struct relay_names *names, uint64_t *question)
{
	void *gone = table_remove_u64(names->questions, *question);

	memory_free(&gone);
	*question = 0;
}

void
relay_names_answer(
    struct relay_names *names, const struct message_relay_found *found)
{
	struct question *question =
	    table_remove_u64(names->questions, found->tag);
	relay_names_found *callback;
	void *context;

	if (question == NULL) /* nobody waits any more */
		return;
	callback = question->found;
	context = question->context;
	memory_free(&question);
	callback(found, context);
}
