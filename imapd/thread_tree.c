/*
 * See thread_tree.h.  A node is a message, or stands for one that is referred
 * to and not there.  While messages come in a node knows only its parent; then
 * the lists of children are made, and everything goes over the nodes in an
 * order in which parents come before their children, or the other way round.
 */
#include "imapd/thread_tree.h"

#include "common/mail_header.h"
#include "common/memory.h"
#include "common/pool.h"
#include "common/table.h"
#include "imapd/message_ids.h"

#include <stdlib.h>
#include <string.h>

struct node {
	struct thread_message message;
	bool is_message; /* else its number, time and subject are its first
			    child's */
	bool has_children;
	bool is_root;
	struct node *parent;
	struct node *child;
	struct node *next;  /* sibling, or root */
	struct node *older; /* made before */
};

struct thread_tree {
	enum thread_algorithm algorithm;
	struct pool *pool;
	struct pool *scratch; /* of one message */
	struct table *ids;    /* identifier -> node */
	struct node *newest;
	size_t node_count;
	struct node **order; /* room for all nodes */
	struct node *roots;
};

struct thread_tree *
thread_tree_new(enum thread_algorithm algorithm)
{
	struct thread_tree *tree = memory_new(1, sizeof(*tree));

	tree->algorithm = algorithm;
	tree->pool = pool_new();
	tree->scratch = pool_new();
	tree->ids = table_new();
	return tree;
}

void
thread_tree_free(struct thread_tree **tree)
{
	if (*tree == NULL)
		return;
	pool_free(&(*tree)->pool);
	pool_free(&(*tree)->scratch);
	table_free(&(*tree)->ids);
	free((*tree)->order);
	memory_free(tree);
}

static struct node *
node_new(struct thread_tree *tree)
{
	struct node *node = pool_alloc(tree->pool, 1, sizeof(*node));

	node->older = tree->newest;
	tree->newest = node;
	tree->node_count++;
	return node;
}

/* ---- Links (RFC 5256 3, REFERENCES, step 1) ---- */

static struct node *
node_of_id(struct thread_tree *tree, struct text id)
{
	struct node *node = table_find(tree->ids, id.data, id.size);

	if (node == NULL) {
		node = node_new(tree);
		(void)table_put(tree->ids, id.data, id.size, node);
	}
	return node;
}

/* Would `child` become its own ancestor? */
static bool
is_loop(const struct node *parent, const struct node *child)
{
	size_t steps = 0;

	if (parent == child)
		return true;
	if (!child->has_children)
		return false;
	for (; parent != NULL; parent = parent->parent)
		if (parent == child || ++steps > THREAD_MAX_CLIMB)
			return true;
	return false;
}

static void
link_nodes(struct node *parent, struct node *child)
{
	if (is_loop(parent, child))
		return;
	child->parent = parent;
	parent->has_children = true;
}

/* The identifiers of References, or the first one of In-Reply-To, the last ones
 * of them: how many, into `ids`. */
static size_t
collect_references(struct thread_tree *tree, struct text header,
    struct text ids[THREAD_MAX_REFERENCES])
{
	struct mail_field field;
	struct text value, id;
	size_t count = 0;

	if (mail_header_find(header, "References", &field)) {
		value = field.value;
		while (message_id_next(&value, tree->scratch, &id)) {
			if (count == THREAD_MAX_REFERENCES)
				memmove(ids, ids + 1, --count * sizeof(*ids));
			ids[count++] = id;
		}
	}
	if (count > 0 || !mail_header_find(header, "In-Reply-To", &field))
		return count;
	value = field.value;
	return message_id_next(&value, tree->scratch, &ids[0]);
}

/* Its node; one of its own if it has no identifier, or another's. */
static struct node *
node_of_message(struct thread_tree *tree, struct text header)
{
	struct mail_field field;
	struct node *node;
	struct text id;

	if (!mail_header_find(header, "Message-ID", &field) ||
	    !message_id_next(&field.value, tree->scratch, &id))
		return node_new(tree);
	node = node_of_id(tree, id);
	return node->is_message ? node_new(tree) : node;
}

static void
link_message(struct thread_tree *tree, struct node *node, struct text header)
{
	struct text ids[THREAD_MAX_REFERENCES];
	size_t count = collect_references(tree, header, ids);
	struct node *before = NULL, *referred;

	for (size_t i = 0; i < count; i++) {
		referred = node_of_id(tree, ids[i]);
		if (before != NULL && referred->parent == NULL)
			link_nodes(before, referred);
		before = referred;
	}
	/* Who it answers it says itself, whatever others said of it. */
	node->parent = NULL;
	if (before != NULL)
		link_nodes(before, node);
}

void
thread_tree_add(struct thread_tree *tree, const struct thread_message *message,
    struct text header)
{
	struct node *node;

	if (tree->algorithm == THREAD_REFERENCES)
		node = node_of_message(tree, header);
	else
		node = node_new(tree);
	node->message = *message;
	node->is_message = true;
	if (tree->algorithm == THREAD_REFERENCES)
		link_message(tree, node, header);
	pool_clear(tree->scratch);
}

/* ---- Lists ---- */

static void
add_child(struct node *parent, struct node *child)
{
	child->parent = parent;
	child->next = parent->child;
	parent->child = child;
}

/* From parents to lists; what has none is a root. */
static void
make_lists(struct thread_tree *tree)
{
	struct node *node;

	tree->roots = NULL;
	for (node = tree->newest; node != NULL; node = node->older) {
		if (node->parent != NULL) {
			add_child(node->parent, node);
		} else {
			node->next = tree->roots;
			tree->roots = node;
		}
	}
}

/* All nodes below the roots, and these, into tree->order: parents first. Marks
 * the roots. */
static size_t
put_in_order(struct thread_tree *tree)
{
	struct node *node;
	size_t count = 0, at;

	for (node = tree->roots; node != NULL; node = node->next) {
		node->parent = NULL;
		tree->order[count++] = node;
	}
	for (at = 0; at < count; at++) {
		struct node *child = tree->order[at]->child;

		for (; child != NULL; child = child->next) {
			child->parent = tree->order[at];
			tree->order[count++] = child;
		}
	}
	return count;
}

static int
compare_nodes(const void *a, const void *b)
{
	const struct thread_message *left =
	    &(*(struct node *const *)a)->message;
	const struct thread_message *right =
	    &(*(struct node *const *)b)->message;

	if (left->time != right->time)
		return left->time < right->time ? -1 : 1;
	return left->number < right->number ? -1 : left->number > right->number;
}

/* A list by the time of its messages. */
static struct node *
sort_list(struct node *list)
{
	struct node **nodes, *node;
	size_t count = 0, i = 0;

	if (list == NULL || list->next == NULL)
		return list;
	for (node = list; node != NULL; node = node->next)
		count++;
	nodes = memory_new(count, sizeof(*nodes));
	for (node = list; node != NULL; node = node->next)
		nodes[i++] = node;
	qsort(nodes, count, sizeof(*nodes), compare_nodes);
	for (i = 0; i < count; i++)
		nodes[i]->next = i + 1 < count ? nodes[i + 1] : NULL;
	list = nodes[0];
	free(nodes);
	return list;
}

/* Siblings by time, from the leaves up; what is no message stands where its
 * first child does (steps 4 and 6). */
static void
sort_all(struct thread_tree *tree)
{
	size_t count = put_in_order(tree);

	while (count-- > 0) {
		struct node *node = tree->order[count];

		node->child = sort_list(node->child);
		if (!node->is_message && node->child != NULL)
			node->message = node->child->message;
	}
	tree->roots = sort_list(tree->roots);
}

/* ---- What is no message (step 3) ---- */

/* The list without those that are no messages: their children, which are
 * messages already, take their places. */
static struct node *
prune_list(struct node *list, bool are_roots)
{
	struct node *first = NULL, **end = &first, *node, *next;

	for (node = list; node != NULL; node = next) {
		next = node->next;
		*end = node;
		if (!node->is_message && (!are_roots || node->child == NULL ||
					     node->child->next == NULL))
			*end = node->child;
		else
			node->next = NULL;
		while (*end != NULL)
			end = &(*end)->next;
	}
	return first;
}

static void
prune(struct thread_tree *tree)
{
	size_t count = put_in_order(tree);

	while (count-- > 0)
		tree->order[count]->child =
		    prune_list(tree->order[count]->child, false);
	tree->roots = prune_list(tree->roots, true);
}

/* ---- Threads of one subject (step 5) ---- */

static struct node *
find_subject(struct table *subjects, const struct node *root)
{
	return table_find(
	    subjects, root->message.subject.data, root->message.subject.size);
}

static void
put_subject(struct table *subjects, struct node *root)
{
	(void)table_put(subjects, root->message.subject.data,
	    root->message.subject.size, root);
}

/* The first thread of a subject, but rather one that gathers several already,
 * or one that begins with no reply. */
static void
choose_subjects(const struct thread_tree *tree, struct table *subjects)
{
	struct node *root, *chosen;

	for (root = tree->roots; root != NULL; root = root->next) {
		if (root->message.subject.size == 0)
			continue;
		chosen = find_subject(subjects, root);
		if (chosen == NULL ||
		    (chosen->is_message &&
			(!root->is_message || (chosen->message.is_reply &&
						  !root->message.is_reply))))
			put_subject(subjects, root);
	}
}

/* `chosen` becomes no message, whose children are what it was, and `root`. */
static void
gather(struct thread_tree *tree, struct node *chosen, struct node *root)
{
	struct node *copy = node_new(tree);

	copy->message = chosen->message;
	copy->is_message = true;
	copy->child = chosen->child;
	chosen->is_message = false;
	chosen->child = NULL;
	add_child(chosen, copy);
	add_child(chosen, root);
}

/* `root` goes below `chosen`. */
static void
merge_root(struct thread_tree *tree, struct node *chosen, struct node *root)
{
	struct node *child, *next;

	if (!chosen->is_message && !root->is_message) {
		for (child = root->child; child != NULL; child = next) {
			next = child->next;
			add_child(chosen, child);
		}
	} else if (!chosen->is_message ||
		   (root->message.is_reply && !chosen->message.is_reply)) {
		add_child(chosen, root);
	} else {
		gather(tree, chosen, root);
	}
}

static void
join_subjects(struct thread_tree *tree)
{
	struct table *subjects = table_new();
	struct node **end = &tree->roots, *root, *next, *chosen;

	choose_subjects(tree, subjects);
	for (root = tree->roots; root != NULL; root = next) {
		next = root->next;
		chosen = root->message.subject.size == 0
			     ? root
			     : find_subject(subjects, root);
		if (chosen == root) {
			*end = root;
			end = &root->next;
		} else {
			merge_root(tree, chosen, root);
		}
	}
	*end = NULL;
	table_free(&subjects);
}

/* ---- ORDEREDSUBJECT ---- */

/* The first one of each subject has the others below it. */
static void
group_by_subject(struct thread_tree *tree)
{
	struct table *subjects = table_new();
	struct node **end, *root, *next, *first;

	tree->roots = sort_list(tree->roots);
	end = &tree->roots;
	for (root = tree->roots; root != NULL; root = next) {
		next = root->next;
		first = find_subject(subjects, root);
		if (first == NULL) {
			put_subject(subjects, root);
			*end = root;
			end = &root->next;
		} else {
			add_child(first, root);
		}
	}
	*end = NULL;
	table_free(&subjects);
}

void
thread_tree_finish(struct thread_tree *tree)
{
	/* Step 5 makes a node for a thread at most. */
	tree->order =
	    memory_new(2 * tree->node_count + 1, sizeof(*tree->order));
	make_lists(tree);
	if (tree->algorithm == THREAD_ORDEREDSUBJECT) {
		group_by_subject(tree);
	} else {
		prune(tree);
		sort_all(tree);
		join_subjects(tree);
	}
	sort_all(tree);
	(void)put_in_order(tree);
}

/* ---- The answer ---- */

/* From a node that is done: the next one to tell, NULL at the end. */
static const struct node *
climb(const struct node *node, const struct node *root, struct buf *out)
{
	for (; node != root; node = node->parent) {
		if (node->parent->child->next == NULL)
			continue; /* an only child has no brackets */
		(void)buf_put_byte(out, ')');
		if (node->next != NULL) {
			(void)buf_put_byte(out, '(');
			return node->next;
		}
	}
	return NULL;
}

bool
thread_tree_put_next(struct thread_tree *tree, struct buf *out)
{
	const struct node *root = tree->roots, *node, *next;

	if (root == NULL)
		return false;
	tree->roots = root->next;
	(void)buf_put_byte(out, '(');
	for (node = root; node != NULL; node = next) {
		next = node->child;
		if (node->is_message)
			(void)buf_put_format(out, "%u", node->message.number);
		if (next == NULL) {
			next = climb(node, root, out);
			continue;
		}
		if (node->is_message)
			(void)buf_put_byte(out, ' ');
		if (next->next != NULL)
			(void)buf_put_byte(out, '(');
	}
	(void)buf_put_byte(out, ')');
	return true;
}
