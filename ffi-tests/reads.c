/* Publishing on terms, and what a host can ask about: by polling on one thread, and on the server's own. */
#include <pthread.h>

#include "host.h"

struct asked {
  int answers;
  wspush_status status;
  uint64_t epoch, offset, first, subscribers, offsets[8], missed_from, missed_to, next, conns[8];
  size_t channels, publications, connections;
  char name[160], payloads[8][32], receives[64];
  int kinds[8];
};

static const wspush_answer *stale;

/* Takes down all that there is in an answer. */
static void note(void *user_data, wspush_server *server, wspush_status status, const wspush_answer *answer) {
  struct asked *a = user_data;
  int answers = a->answers;
  memset(a, 0, sizeof *a);
  a->answers = answers + 1;
  a->status = status;
  HOLDS((answer != NULL) == (status == WSPUSH_OK));
  GIVES(WSPUSH_EWRONGTHREAD, wspush_server_stop(server, 0));
  if (!answer) return;
  stale = answer;
  wspush_channel_info info;
  info.struct_size = sizeof info;
  while (wspush_answer_channel(answer, a->channels, &info) == WSPUSH_OK) {
    HOLDS(info.name.length < sizeof a->name && info.struct_size == sizeof info);
    memcpy(a->name, info.name.data, info.name.length);
    a->name[info.name.length] = 0;
    a->epoch = info.epoch, a->offset = info.offset, a->first = info.first, a->subscribers = info.subscribers;
    a->channels++;
  }
  wspush_publication publication;
  publication.struct_size = sizeof publication;
  while (wspush_answer_publication(answer, a->publications, &publication) == WSPUSH_OK) {
    size_t n = a->publications++;
    HOLDS(n < 8 && publication.length < 32 && publication.time_ms > 1000000000000);
    memcpy(a->payloads[n], publication.data, publication.length);
    a->offsets[n] = publication.offset, a->kinds[n] = (int)publication.kind;
  }
  while (wspush_answer_connection(answer, a->connections, &a->conns[a->connections]) == WSPUSH_OK) {
    wspush_str text;
    for (size_t n = 0; wspush_answer_connection_channel(answer, a->connections, n, &text) == WSPUSH_OK; n++)
      snprintf(a->receives, sizeof a->receives, "%.*s", (int)text.length, text.data);
    a->connections++;
  }
  if (wspush_answer_missed(answer, &a->missed_from, &a->missed_to) < 0) HOLDS(a->missed_to == 0);
  if (wspush_answer_next(answer, &a->next) < 0) HOLDS(a->next == 0);
}

/* Polls until there is one more answer. */
static void answered(wspush_server *server, struct asked *a) {
  int before = a->answers;
  while (a->answers == before) MUST(wspush_server_poll(server, 1000));
  HOLDS(a->answers == before + 1);
  wspush_channel_info info;
  info.struct_size = sizeof info;
  if (a->status == WSPUSH_OK) GIVES(WSPUSH_EWRONGTHREAD, wspush_answer_channel(stale, 0, &info));
}

#define ASK(call) (MUST(call), answered(server, &a))

static const char binary[3] = {0, (char)0xff, 1};

static void publish_on_terms(wspush_server *server) {
  wspush_str channels[3] = {{"a", 1}, {"broadcast", 9}, {"b", 1}};
  struct {
    wspush_receipt receipt;
    uint64_t newer; /* a host that was built for a newer library */
  } receipts[3];
  wspush_terms terms;
  wspush_conflict conflict;
  memset(&terms, 0, sizeof terms);
  memset(receipts, 0xaa, sizeof receipts);
  terms.struct_size = sizeof terms;
  conflict.struct_size = sizeof conflict;
  receipts[0].receipt.struct_size = sizeof receipts[0];
  terms.idempotency_key = "order-17", terms.idempotency_key_length = 8;
  MUST(wspush_publish_to(server, channels, 3, WSPUSH_TEXT, "one", 3, &terms, &receipts[0].receipt));
  for (int n = 0; n < 3; n++)
    HOLDS(receipts[n].receipt.offset == 1 && receipts[n].receipt.id == (uint64_t)n + 1 &&
          receipts[n].newer == UINT64_C(0xaaaaaaaaaaaaaaaa));
  MUST(wspush_broadcast(server, WSPUSH_TEXT, "between", 7, NULL));
  GIVES(WSPUSH_DUPLICATE, wspush_publish_to(server, channels, 3, WSPUSH_TEXT, "one", 3, &terms, &receipts[0].receipt));
  HOLDS(receipts[2].receipt.id == 3);
  GIVES(WSPUSH_EREUSED, wspush_publish_to(server, channels, 3, WSPUSH_TEXT, "two", 3, &terms, NULL));
  HOLDS(strstr(wspush_last_error(), "order-17") == NULL);
  GIVES(WSPUSH_ENOTFOUND, wspush_last_conflict(&conflict));
  terms.idempotency_key = NULL, terms.has_if_offset = 1, terms.if_offset = 1;
  GIVES(WSPUSH_ECONFLICT, wspush_publish_to(server, channels, 3, WSPUSH_TEXT, "two", 3, &terms, NULL));
  MUST(wspush_last_conflict(&conflict));
  HOLDS(conflict.offset == 2 && conflict.epoch == receipts[1].receipt.epoch && conflict.channel.length == 9 &&
        memcmp(conflict.channel.data, "broadcast", 9) == 0);
  MUST(wspush_publish_to(server, channels, 1, WSPUSH_BINARY, binary, 3, &terms, NULL));
  terms.if_offset = 7;
  channels[0].data = "none";
  channels[0].length = 4;
  GIVES(WSPUSH_ECONFLICT, wspush_publish_to(server, channels, 1, WSPUSH_TEXT, "x", 1, &terms, NULL));
  MUST(wspush_last_conflict(&conflict));
  HOLDS(conflict.offset == 0 && conflict.epoch == 0);
  GIVES(WSPUSH_EINVAL, wspush_publish_to(server, channels, 0, WSPUSH_TEXT, "x", 1, NULL, NULL));
  GIVES(WSPUSH_ENOTFOUND, wspush_last_conflict(&conflict));
  GIVES(WSPUSH_EINVAL, wspush_publish_to(server, channels, SIZE_MAX, WSPUSH_TEXT, "x", 1, NULL, NULL));
  GIVES(WSPUSH_ENULL, wspush_publish_to(server, NULL, 1, WSPUSH_TEXT, "x", 1, NULL, NULL));
  terms.idempotency_key = "", terms.idempotency_key_length = 0;
  GIVES(WSPUSH_EINVAL, wspush_publish_to(server, channels, 1, WSPUSH_TEXT, "x", 1, &terms, NULL));
}

/* The request that a publication is part of comes back in its receipts. */
static void publish_in_a_request(wspush_server *server) {
  static const char parent[] = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
  wspush_str channels[2] = {{"traced", 6}, {"paced", 5}};
  wspush_receipt receipts[2];
  wspush_terms terms;
  memset(&terms, 0, sizeof terms);
  terms.struct_size = sizeof terms, receipts[0].struct_size = sizeof receipts[0];
  terms.traceparent = parent, terms.traceparent_length = strlen(parent);
  MUST(wspush_publish_to(server, channels, 2, WSPUSH_TEXT, "x", 1, &terms, receipts));
  for (int n = 0; n < 2; n++)
    HOLDS(receipts[n].traceparent == parent && receipts[n].traceparent_length == terms.traceparent_length);
  terms.traceparent_length--; /* then it is none */
  MUST(wspush_publish_to(server, channels, 1, WSPUSH_TEXT, "x", 1, &terms, receipts));
  HOLDS(receipts[0].offset == 2 && receipts[0].traceparent == NULL && receipts[0].traceparent_length == 0);
  terms.struct_size = offsetof(wspush_terms, traceparent), terms.traceparent_length = SIZE_MAX;
  MUST(wspush_publish_to(server, channels, 1, WSPUSH_TEXT, "x", 1, &terms, receipts));
  HOLDS(receipts[0].offset == 3 && receipts[0].traceparent == NULL);
}

static void publish_at_a_pace(wspush_server *server) {
  wspush_str channel = {"paced", 5};
  wspush_receipt receipt;
  wspush_terms terms;
  memset(&terms, 0, sizeof terms);
  terms.struct_size = sizeof terms;
  receipt.struct_size = sizeof receipt;
  terms.rate = 1000001;
  GIVES(WSPUSH_EINVAL, wspush_publish_to(server, &channel, 1, WSPUSH_TEXT, "x", 1, &terms, NULL));
  HOLDS(strstr(wspush_last_error(), "rate 1000001") && strstr(wspush_last_error(), "1 to 1000000"));
  terms.rate = 5, terms.deadline_ms = 100;
  GIVES(WSPUSH_EINVAL, wspush_publish_to(server, &channel, 1, WSPUSH_TEXT, "x", 1, &terms, NULL));
  HOLDS(strstr(wspush_last_error(), "exclude each other") != NULL);
  terms.rate = 0;
  MUST(wspush_publish_to(server, &channel, 1, WSPUSH_TEXT, "x", 1, &terms, &receipt));
  HOLDS(receipt.offset == 1);
  /* A host that was built when there were no paces. */
  terms.struct_size = offsetof(wspush_terms, rate), terms.rate = 1000001;
  MUST(wspush_publish_to(server, &channel, 1, WSPUSH_TEXT, "x", 1, &terms, &receipt));
  HOLDS(receipt.offset == 2);
}

static wspush_batch_item item(wspush_str channel, wspush_str user, uint64_t conn, const char *text) {
  wspush_batch_item item;
  memset(&item, 0, sizeof item);
  item.struct_size = sizeof item;
  item.channel = channel, item.user = user, item.conn = conn;
  item.data = text, item.length = strlen(text), item.kind = WSPUSH_TEXT;
  return item;
}

static void publish_batches(wspush_server *server) {
  const wspush_str none = {NULL, 0}, a = {"batched", 7}, everybody = {"broadcast", 9}, ann = {"ann", 3}, empty = {"", 0};
  wspush_batch_item items[4];
  wspush_receipt receipts[4];
  size_t index = 99;
  memset(receipts, 0xaa, sizeof receipts);
  receipts[0].struct_size = sizeof receipts[0];
  items[0] = item(a, none, 0, "x");
  items[0].rate = 5000;
  items[1] = item(none, ann, 0, "to her");
  items[2] = item(everybody, none, 0, "y");
  items[3] = item(none, none, 77, "to one that has gone");
  MUST(wspush_publish_batch(server, items, 4, WSPUSH_STR("batch-1"), receipts));
  HOLDS(receipts[0].id != 0 && receipts[0].offset == 1 && receipts[2].id == receipts[0].id + 1);
  HOLDS(receipts[1].id == 0 && receipts[1].offset == 0 && receipts[3].id == 0 && receipts[3].epoch == 0);
  memset(receipts + 1, 0xaa, sizeof receipts - sizeof receipts[0]);
  GIVES(WSPUSH_DUPLICATE, wspush_publish_batch(server, items, 4, WSPUSH_STR("batch-1"), receipts));
  HOLDS(receipts[2].id == receipts[0].id + 1 && receipts[3].id == 0);
  GIVES(WSPUSH_EREUSED, wspush_publish_batch(server, items, 3, WSPUSH_STR("batch-1"), NULL));
  GIVES(WSPUSH_ENOTFOUND, wspush_last_bad_item(&index));
  GIVES(WSPUSH_EINVAL, wspush_publish_batch(server, items, 4, "", 0, NULL));
  GIVES(WSPUSH_EINVAL, wspush_publish_batch(server, NULL, 0, NULL, 0, NULL));
  GIVES(WSPUSH_ENULL, wspush_publish_batch(server, NULL, 1, NULL, 0, NULL));
  GIVES(WSPUSH_ENULL, wspush_publish_batch(server, items, 4, NULL, 3, NULL));
  GIVES(WSPUSH_EINVAL, wspush_publish_batch(server, items, SIZE_MAX, NULL, 0, NULL));
  items[1].length = 0;
  GIVES(WSPUSH_EEMPTY, wspush_publish_batch(server, items, 4, NULL, 0, NULL));
  MUST(wspush_last_bad_item(&index));
  HOLDS(index == 1 && strncmp(wspush_last_error(), "items[1]: ", 10) == 0);
  items[1] = item(none, empty, 0, "nobody");
  GIVES(WSPUSH_EINVAL, wspush_publish_batch(server, items, 4, NULL, 0, NULL));
  items[1] = item(empty, none, 0, "nowhere");
  GIVES(WSPUSH_ECHANNEL, wspush_publish_batch(server, items, 4, NULL, 0, NULL));
  items[1] = item(a, ann, 0, "both");
  GIVES(WSPUSH_EINVAL, wspush_publish_batch(server, items, 4, NULL, 0, NULL));
  items[1] = item(none, none, 0, "everybody?");
  GIVES(WSPUSH_EINVAL, wspush_publish_batch(server, items, 4, NULL, 0, NULL));
  HOLDS(strstr(wspush_last_error(), "everybody is the channel broadcast") != NULL);
  items[1] = item(a, none, 0, "\xff");
  GIVES(WSPUSH_EUTF8, wspush_publish_batch(server, items, 4, NULL, 0, NULL));
  items[1].kind = INT64_MAX;
  GIVES(WSPUSH_EINVAL, wspush_publish_batch(server, items, 4, NULL, 0, NULL));
  items[1].kind = WSPUSH_BINARY | WSPUSH_UNCOMPRESSED;
  items[0].struct_size = sizeof items[0] - 1;
  GIVES(WSPUSH_ESIZE, wspush_publish_batch(server, items, 4, NULL, 0, NULL));
  items[0].struct_size = sizeof items[0];
  MUST(wspush_publish_batch(server, items, 4, NULL, 0, receipts));
  HOLDS(receipts[0].offset == 2 && receipts[1].offset == 3); /* what was refused has taken no place */
}

static void publish_a_batch_in_a_request(wspush_server *server) {
  static const char parent[] = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
  const wspush_str none = {NULL, 0}, a = {"traced-batch", 12}, ann = {"ann", 3};
  wspush_batch_item items[2];
  wspush_receipt receipts[2];
  wspush_terms terms;
  size_t index;
  int n;
  items[0] = item(none, ann, 0, "to her"), items[1] = item(a, none, 0, "x");
  memset(&terms, 0, sizeof terms);
  terms.struct_size = sizeof terms, terms.idempotency_key = "k", terms.idempotency_key_length = 1;
  terms.traceparent = parent, terms.traceparent_length = strlen(parent);
  memset(receipts, 0xaa, sizeof receipts);
  receipts[0].struct_size = sizeof receipts[0];
  MUST(wspush_publish_batch_on(server, items, 2, &terms, receipts));
  HOLDS(receipts[0].id == 0 && receipts[1].offset == 1);
  for (n = 0; n < 2; n++)
    HOLDS(receipts[n].traceparent == parent && receipts[n].traceparent_length == terms.traceparent_length);
  GIVES(WSPUSH_DUPLICATE, wspush_publish_batch_on(server, items, 2, &terms, receipts));
  HOLDS(receipts[0].traceparent == parent && receipts[1].offset == 1);
  terms.idempotency_key = NULL, terms.traceparent_length--; /* then it is none */
  MUST(wspush_publish_batch_on(server, items, 2, &terms, receipts));
  HOLDS(receipts[1].offset == 2 && receipts[0].traceparent == NULL && receipts[1].traceparent_length == 0);
  /* What a batch can't have. */
  terms.has_if_offset = 1, terms.if_offset = 2;
  GIVES(WSPUSH_EINVAL, wspush_publish_batch_on(server, items, 2, &terms, receipts));
  GIVES(WSPUSH_ENOTFOUND, wspush_last_bad_item(&index));
  terms.has_if_offset = 0, terms.rate = 5;
  GIVES(WSPUSH_EINVAL, wspush_publish_batch_on(server, items, 2, &terms, receipts));
  HOLDS(strstr(wspush_last_error(), "an item's") != NULL);
  /* An older program's terms, which end before the request. */
  terms.rate = 0, terms.struct_size = offsetof(wspush_terms, traceparent), terms.traceparent_length = SIZE_MAX;
  MUST(wspush_publish_batch_on(server, items, 2, &terms, receipts));
  HOLDS(receipts[1].offset == 3 && receipts[1].traceparent == NULL);
  MUST(wspush_publish_batch_on(server, items, 2, NULL, NULL));
}

static void by_polling(void) {
  struct asked a;
  wspush_history_query query;
  char since[64];
  memset(&a, 0, sizeof a);
  memset(&query, 0, sizeof query);
  query.struct_size = sizeof query;
  wspush_config *config = host_config();
  wspush_server *server = NULL;
  MUST(wspush_config_set_int(config, WSPUSH_STR("log_publications"), 4));
  MUST(wspush_server_new(config, NULL, &server));
  wspush_config_free(config);
  ASK(wspush_channel(server, "a", 1, note, &a));
  HOLDS(a.status == WSPUSH_ENOTFOUND);
  publish_on_terms(server);
  ASK(wspush_channel(server, "a", 1, note, &a));
  HOLDS(a.status == WSPUSH_OK && a.channels == 1 && strcmp(a.name, "a") == 0 && a.offset == 2 && a.first == 1);
  ASK(wspush_history(server, "a", 1, NULL, note, &a));
  HOLDS(a.publications == 2 && a.offsets[0] == 1 && a.kinds[0] == WSPUSH_TEXT && !strcmp(a.payloads[0], "one"));
  HOLDS(a.kinds[1] == WSPUSH_BINARY && memcmp(a.payloads[1], binary, 3) == 0 && a.channels == 1);
  for (int n = 3; n <= 6; n++) MUST(wspush_publish(server, "a", 1, WSPUSH_TEXT, "more", 4, NULL));
  query.limit = 2, query.newest_first = 1;
  ASK(wspush_history(server, "a", 1, &query, note, &a));
  HOLDS(a.publications == 2 && a.offsets[0] == 6 && a.offsets[1] == 5 && a.missed_to == 0);
  snprintf(since, sizeof since, "%llu.1", (unsigned long long)a.epoch);
  query.newest_first = 0, query.since = since, query.since_length = strlen(since);
  ASK(wspush_history(server, "a", 1, &query, note, &a));
  HOLDS(a.publications == 2 && a.offsets[0] == 3 && a.missed_from == 2 && a.missed_to == 2 && a.first == 3);
  ASK(wspush_channels(server, NULL, 0, 0, 2, note, &a));
  HOLDS(a.channels == 2 && a.next != 0);
  ASK(wspush_channels(server, NULL, 0, a.next, 2, note, &a));
  HOLDS(a.channels == 1 && a.next == 0);
  ASK(wspush_channels(server, "b", 1, 0, 0, note, &a));
  HOLDS(a.channels == 2);
  uint64_t epoch = a.epoch;
  /* What this thread has published is out before it is forgotten. */
  MUST(wspush_publish(server, "b", 1, WSPUSH_TEXT, "gone", 4, NULL));
  ASK(wspush_forget_history(server, "b", 1, note, &a));
  HOLDS(a.status == WSPUSH_OK && a.offset == 0 && a.first == 1 && a.epoch != epoch && !strcmp(a.name, "b"));
  ASK(wspush_forget_history(server, "none", 4, note, &a));
  HOLDS(a.status == WSPUSH_ENOTFOUND);
  ASK(wspush_user_connections(server, "u", 1, 0, 0, note, &a));
  HOLDS(a.status == WSPUSH_OK && a.connections == 0 && a.next == 0);
  /* There is none in this channel, and no such channel. */
  ASK(wspush_presence(server, "a", 1, note, &a));
  HOLDS(a.status == WSPUSH_ENOTFOUND);
  ASK(wspush_presence(server, "none", 4, note, &a));
  HOLDS(a.status == WSPUSH_ENOTFOUND);
  int before = a.answers;
  query.since = "now", query.since_length = 3;
  GIVES(WSPUSH_EINVAL, wspush_history(server, "a", 1, &query, note, &a));
  GIVES(WSPUSH_ENULL, wspush_history(server, "a", 1, NULL, NULL, &a));
  GIVES(WSPUSH_EINVAL, wspush_channels(server, NULL, 0, 0, 1001, note, &a));
  GIVES(WSPUSH_EINVAL, wspush_user_connections(server, "", 0, 0, 0, note, &a));
  GIVES(WSPUSH_ECHANNEL, wspush_channel(server, "", 0, note, &a));
  GIVES(WSPUSH_ECHANNEL, wspush_presence(server, "", 0, note, &a));
  publish_batches(server);
  publish_a_batch_in_a_request(server);
  publish_at_a_pace(server);
  publish_in_a_request(server);
  /* No answer is left out, also if nobody polls any more. */
  for (int n = 0; n < 100; n++) MUST(wspush_history(server, "a", 1, NULL, note, &a));
  HOLDS(a.answers == before);
  MUST(wspush_server_free(server));
  HOLDS(a.answers == before + 100 && (a.status == WSPUSH_OK || a.status == WSPUSH_ESTOPPED));
}

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;
static int is_done;

/* Lets everybody in as whom the query says. */
static void on_connect(void *user_data, wspush_server *server, wspush_connect *connect) {
  wspush_str name;
  (void)user_data, (void)server;
  MUST(wspush_connect_query(connect, WSPUSH_STR("as"), &name));
  MUST(wspush_connect_accept(connect));
  MUST(wspush_connect_set_user(connect, name.data, name.length));
  MUST(wspush_connect_set_info(connect, WSPUSH_STR("{\"n\":1}")));
  GIVES(WSPUSH_EINVAL, wspush_connect_set_info(connect, WSPUSH_STR("{")));
}

/* Who is there: one user with two connections. */
static void on_present(void *user_data, wspush_server *server, wspush_status status, const wspush_answer *answer) {
  wspush_presence_info info;
  wspush_member member;
  wspush_channel_info channel;
  (void)user_data, (void)server;
  HOLDS(status == WSPUSH_OK);
  info.struct_size = sizeof info, member.struct_size = sizeof member, channel.struct_size = sizeof channel;
  MUST(wspush_answer_presence(answer, &info));
  HOLDS(info.count == 1 && info.listed == 1 && info.epoch != 0 && info.channel.length == 9);
  MUST(wspush_answer_member(answer, 0, &member));
  HOLDS(member.connections == 2 && member.user.length == 3 && !memcmp(member.user.data, "ann", 3));
  HOLDS(member.info.length == 7 && !memcmp(member.info.data, "{\"n\":1}", 7));
  GIVES(WSPUSH_ENOTFOUND, wspush_answer_member(answer, 1, &member));
  GIVES(WSPUSH_ENOTFOUND, wspush_answer_channel(answer, 0, &channel));
  pthread_mutex_lock(&lock);
  is_done = 1;
  pthread_cond_signal(&changed);
  pthread_mutex_unlock(&lock);
}

static void on_inboxes(void *user_data, wspush_server *server, wspush_status status, const wspush_answer *answer) {
  struct asked *a = user_data;
  uint64_t conn = a->conns[7];
  note(a, server, status, answer);
  a->conns[7] = conn;
  HOLDS(a->connections == 2 && !strcmp(a->receives, "inbox.ann"));
  MUST(wspush_send(server, a->conns[7], WSPUSH_TEXT, "asked", 5));
  MUST(wspush_close(server, a->conns[7], 4000, NULL, 0));
  MUST(wspush_presence(server, WSPUSH_STR("inbox.ann"), on_present, NULL));
}

/* Asks in a callback, and again in an answer. */
static void on_paged(void *user_data, wspush_server *server, wspush_status status, const wspush_answer *answer) {
  struct asked *a = user_data;
  uint64_t conn = a->conns[7];
  note(a, server, status, answer);
  HOLDS(a->connections == 1 && a->next == a->conns[0]);
  a->conns[7] = conn;
  MUST(wspush_subscribe_user_since(server, WSPUSH_STR("ann"), WSPUSH_STR("inbox.ann"), WSPUSH_STR("earliest")));
  MUST(wspush_user_connections(server, WSPUSH_STR("ann"), 0, 2, on_inboxes, a));
}

static void on_message(void *user_data, wspush_server *server, wspush_session *session, int32_t kind,
                       const void *data, size_t length) {
  struct asked *a = user_data;
  (void)kind, (void)data, (void)length;
  MUST(wspush_session_id(session, &a->conns[7]));
  MUST(wspush_user_connections(server, WSPUSH_STR("ann"), 0, 1, on_paged, user_data));
}

int main(void) {
  struct asked a;
  wspush_callbacks callbacks;
  memset(&a, 0, sizeof a);
  memset(&callbacks, 0, sizeof callbacks);
  by_polling();
  callbacks.struct_size = sizeof callbacks;
  callbacks.user_data = &a;
  callbacks.on_connect = on_connect;
  callbacks.on_message = on_message;
  wspush_config *config = host_config();
  wspush_server *server = NULL;
  MUST(wspush_config_set(config, WSPUSH_STR("channel_rule"), WSPUSH_STR("inbox.* presence=true")));
  MUST(wspush_server_new(config, &callbacks, &server));
  wspush_config_free(config);
  MUST(wspush_server_start(server));
  host_say_port(server);
  pthread_mutex_lock(&lock);
  while (!is_done) pthread_cond_wait(&changed, &lock);
  pthread_mutex_unlock(&lock);
  MUST(wspush_server_stop(server, 2000));
  MUST(wspush_server_free(server));
  puts("all is answered");
  return 0;
}
