/*
 * wspush: a WebSocket push server in your process. See wspush(3) and docs/embedding.md.
 *
 * Written by cbindgen from libwspush/src; changes are made there.
 *
 * Text goes in as a pointer and a length, never with a NUL that counts; WSPUSH_STR makes both from a C string.
 * An output is written only on success. NULL where something must be is WSPUSH_ENULL, not a crash.
 * What a function takes it copies; what it gives stays the library's.
 */

#ifndef WSPUSH_H
#define WSPUSH_H

#include <stdint.h>
#include <stddef.h>
#include <string.h>

/* The pointer and the length of a NUL-terminated string, for two parameters: the argument is evaluated twice. */
#define WSPUSH_STR(text) (text), strlen(text)

/* The ABI that this header describes; compare it with `wspush_abi_version()` when the library is loaded. It grows
 * when something is added, and what was there keeps working: a host built for 1 runs with every later one that
 * has the same SONAME. */
#define WSPUSH_ABI_VERSION 1

/* Done. */
#define WSPUSH_OK 0

/* Done, and there is nothing more to do: the server has drained. */
#define WSPUSH_DONE 1

/* Done before, under the same idempotency key. */
#define WSPUSH_DUPLICATE 2

/* A pointer that must not be NULL is NULL. */
#define WSPUSH_ENULL -1

/* A number is out of range: a length, a kind, a close code. */
#define WSPUSH_EINVAL -2

/* A text is not UTF-8. */
#define WSPUSH_EUTF8 -3

/* `struct_size` is none that this library knows. */
#define WSPUSH_ESIZE -4

/* The inbox is full: the server's thread is behind. Try again later, or drop the message. */
#define WSPUSH_EAGAIN -5

/* The server has stopped, or is draining. */
#define WSPUSH_ESTOPPED -6

/* Not from inside a callback, or only there. */
#define WSPUSH_EWRONGTHREAD -7

/* Not now: the server has been started, or another thread is polling it. */
#define WSPUSH_ESTATE -8

/* There is no such thing: header, parameter, address, receipt, channel. */
#define WSPUSH_ENOTFOUND -9

/* The message is empty. */
#define WSPUSH_EEMPTY -10

/* The message is larger than a channel's log. */
#define WSPUSH_ETOOLARGE -11

/* Not a channel's name: 1 to 128 ASCII letters, digits and punctuation, without spaces and `*`. */
#define WSPUSH_ECHANNEL -12

/* There are as many channels as there may be. */
#define WSPUSH_ECHANNELS -13

/* A setting's name or value is wrong, or two don't go together. */
#define WSPUSH_ECONFIG -14

/* An address could not be listened on. */
#define WSPUSH_ELISTEN -15

/* The operating system refused something. */
#define WSPUSH_ESYSTEM -16

/* This build of the library does not have it. */
#define WSPUSH_EUNSUPPORTED -17

/* The server belongs to the process that this one was forked from. */
#define WSPUSH_EFORK -18

/* A defect in the library; it was caught, and the call has no effect that can be relied on. */
#define WSPUSH_EPANIC -19

/* The newest publication of a channel is not the one that was expected; see `wspush_last_conflict`. */
#define WSPUSH_ECONFLICT -20

/* The idempotency key stands for another publication: another message, other channels or other terms. */
#define WSPUSH_EREUSED -21

/* A transport: WebSocket, at `/ws`. */
#define WSPUSH_TRANSPORT_WS 1

/* A transport: Server-Sent Events, at `/sse`. */
#define WSPUSH_TRANSPORT_SSE 2

/* A transport: envelopes of `wspush.v1`, one a line, at `/stream`. */
#define WSPUSH_TRANSPORT_STREAM 3

/* A transport: the same envelopes, by long polling, at `/poll`. */
#define WSPUSH_TRANSPORT_POLL 4

/* A text message: UTF-8, checked. */
#define WSPUSH_TEXT 1

/* A binary message: any bytes. */
#define WSPUSH_BINARY 2

/* Beside the kind of a message that is pushed, as in `WSPUSH_TEXT | WSPUSH_UNCOMPRESSED`: it is not compressed for
 * clients that negotiated that (RFC 7692). For a secret beside something that a stranger chose. */
#define WSPUSH_UNCOMPRESSED 256

/* Log level: what ends or endangers the service. */
#define WSPUSH_LOG_ERROR 1

/* Log level: what an operator should look at. */
#define WSPUSH_LOG_WARN 2

/* Log level: start, limits, drain. */
#define WSPUSH_LOG_INFO 3

/* Log level: every connection. */
#define WSPUSH_LOG_DEBUG 4

/* A client's messages are handed over whole, to `on_message`. */
#define WSPUSH_PIECES_OFF 0

/* They are handed over as they come, to `on_fragment`. A message has at most `message_bytes_max` bytes. */
#define WSPUSH_PIECES_BOUNDED 1

/* The same, and a message may be as long as the client likes. */
#define WSPUSH_PIECES_UNBOUNDED 2

/* In place of a route's number: no route, or all of them. */
#define WSPUSH_NO_ROUTE 4294967295

/* An answer. It is there while `wspush_on_answer` runs; outside of it, and on other threads, every function that takes
 * it answers `WSPUSH_EWRONGTHREAD` and touches nothing. What they give lives as long. */
typedef struct wspush_answer wspush_answer;

/* A question of a client of an app, on which the host decides. It is there while `on_authorize` runs; outside of it,
 * and on other threads, every function that takes it answers `WSPUSH_EWRONGTHREAD`. */
typedef struct wspush_authorization wspush_authorization;

/* A connection that is gone. It is there while `on_closed` runs; outside of it, and on other threads, every function
 * that takes it answers `WSPUSH_EWRONGTHREAD` and touches nothing. What they give lives as long. */
typedef struct wspush_closed wspush_closed;

/* Settings for servers; one thread at a time. */
typedef struct wspush_config wspush_config;

/* A client that asks for `/ws`, or for a route of the host's. It is there while `on_connect` runs; outside of it,
 * and on other threads, every function that takes it answers `WSPUSH_EWRONGTHREAD`. Text that they give lives as
 * long. */
typedef struct wspush_connect wspush_connect;

/* A push server. Its functions may be called from any thread unless they say otherwise, until it is freed. */
typedef struct wspush_server wspush_server;

/* An open connection. It is there while its callback runs; outside of it, and on other threads, every function that
 * takes it answers `WSPUSH_EWRONGTHREAD` and touches nothing. To reach a connection later keep its id. */
typedef struct wspush_session wspush_session;

/* The result of every function that can fail: 0 or more is success, less than 0 is an error, and then nothing has
 * been done and no output was written. New codes may be added; no code ever changes. */
typedef int32_t wspush_status;

/* The host's callbacks. Zero it, set `struct_size` to `sizeof(wspush_callbacks)`, then those that are wanted: every
 * function may be NULL. The struct is copied; `user_data` must live until the server is freed.
 *
 * The functions run on the server's thread (the one of `wspush_server_start`, or the one that polls), one at a time,
 * and while one runs nothing else does: they must not block. With the setting `reactors` at more than 1 that holds for
 * each of as many threads: the functions then run on several of them at the same time, those for one connection always
 * on the same one, and have to guard what they share. They may call every function of this header but those
 * that say `WSPUSH_EWRONGTHREAD`. What they are given is theirs to read until they return. They must return: no
 * `longjmp`, no C++ exception may leave them. What one of them asks for happens in its order. Once a session was
 * closed in a callback, by `wspush_session_close` or `wspush_close`, only `on_close` and `on_closed` hear of it
 * again.
 *
 * A server with any of them but `on_log` has a host. Unless the setting `origins` says otherwise, of all web pages
 * only those of the server's own origin may connect to it then, which is that of `Host`: a proxy has to forward it. */
typedef struct wspush_callbacks {
  /* `sizeof(wspush_callbacks)`. */
  size_t struct_size;
  /* Given back to every callback. */
  void *user_data;
  /* A client asks for `/ws`, or for a route of these callbacks (`wspush_route_add`): `wspush_connect_refuse`,
   * `wspush_connect_accept` or the setters decide. Without this callback, and where it decides nothing, the
   * configuration does. */
  void (*on_connect)(void *user_data, struct wspush_server *server, struct wspush_connect *connect);
  /* A connection is open and receives what is published from now on. */
  void (*on_open)(void *user_data, struct wspush_server *server, struct wspush_session *session);
  /* A whole message has come in; `kind` is `WSPUSH_TEXT` (`data` is valid UTF-8) or `WSPUSH_BINARY`. `data` is not
   * NULL, and nothing follows its `length` bytes. */
  void (*on_message)(void *user_data,
                     struct wspush_server *server,
                     struct wspush_session *session,
                     int32_t kind,
                     const void *data,
                     size_t length);
  /* A connection is gone; called once for each `on_open` and `on_taken_over`. `user` is NULL if it had none. `code`
   * is that of the close frame, 1005 if that had none, 1006 if there was no close frame. */
  void (*on_close)(void *user_data,
                   struct wspush_server *server,
                   uint64_t conn,
                   const char *user,
                   size_t user_length,
                   uint16_t code,
                   const char *reason,
                   size_t reason_length);
  /* A line for the operator, without a newline. Without this callback lines go to standard error. It is also called
   * by `wspush_server_new`, on that thread. */
  void (*on_log)(void *user_data, int32_t level, const char *line, size_t length);
  /* As `on_close`, with what the host keeps at the connection and its route. If both are there, this one is called
   * first. */
  void (*on_closed)(void *user_data, struct wspush_server *server, const struct wspush_closed *closed);
  /* A piece of a message has come in, from a client that was let in with `wspush_connect_set_pieces`; `on_message`
   * hears nothing of that client. `kind` is `WSPUSH_TEXT` (`data` is whole characters) or `WSPUSH_BINARY`, and
   * `more` is 0 for a message's last piece, which alone may have a `length` of 0; `data` is never NULL. The pieces
   * are as the network has brought them, and not the client's frames. A message that turns out to be none (text that
   * is not UTF-8, one that is too long) has no last piece: the connection is closed. */
  void (*on_fragment)(void *user_data,
                      struct wspush_server *server,
                      struct wspush_session *session,
                      int32_t kind,
                      int32_t more,
                      const void *data,
                      size_t length);
  /* A connection's outbox is empty: what was sent to it is with the kernel, as `wspush_session_notify_drained` or
   * `wspush_notify_drained` has asked to be told; called once for that, and not if the connection ends first. */
  void (*on_drained)(void *user_data, struct wspush_server *server, struct wspush_session *session);
  /* A pong with a payload has come: the answer to `wspush_session_ping` or `wspush_ping`, or one that nothing has
   * asked for. The server's own pings have no payload, and their answers are not told. `data` is not NULL. */
  void (*on_pong)(void *user_data,
                  struct wspush_server *server,
                  struct wspush_session *session,
                  const void *data,
                  size_t length);
  /* A connection has come over from the server that ran before this one (the setting `handover`), in place of
   * `on_open`. Called once for each that is open, in the first turn and before anything that it says. It is in its
   * channels and has its id and its user; what the former program kept there (`wspush_session_set_attribute`) can't
   * leave its process, and is to be set anew. That program's `destroy` functions are called there, its `on_close`
   * and `on_closed` are not. */
  void (*on_taken_over)(void *user_data, struct wspush_server *server, struct wspush_session *session);
  /* A client of an app (the setting `pusher_app`) asks for a private or presence channel, or signs in:
   * `wspush_authorization_allow`, `_refuse` or `_pend` decides. Without this callback, and where it decides
   * nothing, the signature does. Of the callbacks for the server's own paths, not of a route. */
  void (*on_authorize)(void *user_data, struct wspush_server *server, struct wspush_authorization *asked);
} wspush_callbacks;

/* A piece of text that belongs to the library: UTF-8, `length` bytes, **not** followed by a NUL. Print it with
 * `printf("%.*s", (int)text.length, text.data)`. How long it lives stands at the function that gives it. */
typedef struct wspush_str {
  /* The first byte; not NULL, even where `length` is 0. */
  const char *data;
  /* How many bytes. */
  size_t length;
} wspush_str;

/* Frees what a host has kept at a connection, on the server's thread or on the one that frees the server. It is called
 * once for each attribute that was taken, and must not block. */
typedef void (*wspush_free_attribute)(void *attribute);

/* The question itself: who wants what, and what it shows for it. The texts live while `on_authorize` runs; one that
 * there is not has a `length` of 0. Zero it, and set `struct_size` to `sizeof(wspush_authorization_info)`. */
typedef struct wspush_authorization_info {
  /* `sizeof(wspush_authorization_info)`. */
  size_t struct_size;
  /* The connection's id. */
  uint64_t conn;
  /* Which question of this connection it is, for `wspush_authorize`. */
  uint64_t number;
  /* The app's id. */
  struct wspush_str app;
  /* The connection's id in the words of the protocol. */
  struct wspush_str socket_id;
  /* The id of the user that the connection has signed in as. */
  struct wspush_str user;
  /* The channel, by the app's name for it. Empty: a user signs in. */
  struct wspush_str channel;
  /* The client's `auth`, whatever it is: the signature of a backend, or something of the host's own. */
  struct wspush_str auth;
  /* The client's `channel_data`, or `user_data` of one that signs in. Nobody vouches for it unless `is_signed`. */
  struct wspush_str data;
  /* 1: the app's secret has signed it, `data` included. */
  uint64_t is_signed;
} wspush_authorization_info;

/* Where a publication stands. Set `struct_size` to `sizeof(wspush_receipt)` before the call. */
typedef struct wspush_receipt {
  /* `sizeof(wspush_receipt)`. */
  size_t struct_size;
  /* For `wspush_server_delivery`; 1 for the server's first publication. */
  uint64_t id;
  /* Which life of the channel; offsets start anew with each. */
  uint64_t epoch;
  /* The publication's place in the channel: one more than the one before it. */
  uint64_t offset;
  /* The request that it is part of, as `wspush_terms` has it: the same bytes. NULL: none, or one that is not valid. */
  const char *traceparent;
  /* Its bytes. */
  size_t traceparent_length;
} wspush_receipt;

/* The terms of a publication, or of a batch. Zero it, set `struct_size` to `sizeof(wspush_terms)`, then what is
 * wanted. */
typedef struct wspush_terms {
  /* `sizeof(wspush_terms)`. */
  size_t struct_size;
  /* A repetition of this key within five minutes, with the same message to the same channels, gets the first
   * receipts again (`WSPUSH_DUPLICATE`), and nothing is published. NULL: none. */
  const char *idempotency_key;
  /* Its bytes, 1 to 128. */
  size_t idempotency_key_length;
  /* 1: it is published only if `if_offset` is the offset of the newest publication of each channel. */
  uint64_t has_if_offset;
  /* That offset; 0: none yet. */
  uint64_t if_offset;
  /* So many subscribers of each channel are written to a second, 1 to 1,000,000, so that they don't all answer at
   * once. 0: as fast as possible, or as `deadline_ms` says. A later publication of the channel without a pace, or
   * with a faster one, takes along what lies before it. */
  uint64_t rate;
  /* All subscribers are written to within so many milliseconds, 1 to 3,600,000, evenly. 0: as fast as possible, or
   * as `rate` says; both are an error. */
  uint64_t deadline_ms;
  /* The request that it is part of (`traceparent` of W3C Trace Context). It comes back in the receipts, and is
   * logged with them (`event=published`) if its flags say that it is sampled. NULL: none; one that is not valid is
   * left out. */
  const char *traceparent;
  /* Its bytes. */
  size_t traceparent_length;
} wspush_terms;

/* Where a channel stood that was expected to stand elsewhere. Set `struct_size` to `sizeof(wspush_conflict)` before
 * the call. */
typedef struct wspush_conflict {
  /* `sizeof(wspush_conflict)`. */
  size_t struct_size;
  /* The channel's epoch; 0: there is no such channel. */
  uint64_t epoch;
  /* The offset of its newest publication; 0: none yet. */
  uint64_t offset;
  /* Its name. The text lives until this thread's next failure. */
  struct wspush_str channel;
} wspush_conflict;

/* One of several messages that are published at once, to one of a channel, a user and a connection. Zero it, set
 * `struct_size` to `sizeof(wspush_batch_item)`, then what is wanted. Its pointers are borrowed for the call. */
typedef struct wspush_batch_item {
  /* `sizeof(wspush_batch_item)`. That of the first item counts for all. */
  size_t struct_size;
  /* The channel; that of everybody is `broadcast`. NULL: to none. */
  struct wspush_str channel;
  /* The user: all connections that it has when its turn comes. NULL: to none. */
  struct wspush_str user;
  /* The connection. 0: to none. */
  uint64_t conn;
  /* The message. */
  const void *data;
  /* Its bytes. */
  size_t length;
  /* `WSPUSH_TEXT` or `WSPUSH_BINARY`, perhaps with `WSPUSH_UNCOMPRESSED`. */
  int64_t kind;
  /* As in `wspush_terms`; for channels only. */
  uint64_t rate;
  /* As in `wspush_terms`; for channels only. */
  uint64_t deadline_ms;
} wspush_batch_item;

/* Takes the answer to a question. It is called once for each question that was taken (`WSPUSH_OK`), on the server's
 * thread or by `wspush_server_poll`, and the rules of `wspush_callbacks` hold for it. `answer` is NULL unless `status`
 * is `WSPUSH_OK`. `WSPUSH_ENOTFOUND`: there is no such channel, as it has neither subscribers nor publications.
 * `WSPUSH_ESTOPPED`: the server has ended before; it is called then at the latest by the end of `wspush_server_stop`
 * or `wspush_server_free`. `WSPUSH_EAGAIN`: not now, as the question's function says. */
typedef void (*wspush_on_answer)(void *user_data,
                                 struct wspush_server *server,
                                 wspush_status status,
                                 const struct wspush_answer *answer);

/* Which publications of a channel to read. Zero it, set `struct_size` to `sizeof(wspush_history_query)`, then what is
 * wanted. */
typedef struct wspush_history_query {
  /* `sizeof(wspush_history_query)`. */
  size_t struct_size;
  /* From where on, as in `wspush_subscribe_since`. NULL: `earliest`. */
  const char *since;
  /* Its bytes. */
  size_t since_length;
  /* So many at the most, 1 to 1,000; 0: 100. A page has about 256 KiB at the most. */
  uint32_t limit;
  /* 1: the newest first. */
  uint32_t newest_first;
} wspush_history_query;

/* How a channel stands. Set `struct_size` to `sizeof(wspush_channel_info)` before the call. */
typedef struct wspush_channel_info {
  /* `sizeof(wspush_channel_info)`. */
  size_t struct_size;
  /* Its name. */
  struct wspush_str name;
  /* Which life of it; offsets start anew with each. */
  uint64_t epoch;
  /* The offset of its newest publication; 0: none yet. */
  uint64_t offset;
  /* The offset of the oldest one that it has; of the next one if it has none. */
  uint64_t first;
  /* Bytes of those that it has, as frames. */
  uint64_t bytes;
  /* Its subscribers. */
  uint64_t subscribers;
  /* Its members: users who are there, if it has presence. */
  uint64_t members;
} wspush_channel_info;

/* A publication that was. Set `struct_size` to `sizeof(wspush_publication)` before the call. */
typedef struct wspush_publication {
  /* `sizeof(wspush_publication)`. */
  size_t struct_size;
  /* Its offset: with the channel's epoch its position. */
  uint64_t offset;
  /* When it came, in milliseconds since 1970. */
  uint64_t time_ms;
  /* `WSPUSH_TEXT` or `WSPUSH_BINARY`. */
  int64_t kind;
  /* Its bytes; not NULL. */
  const void *data;
  /* How many. */
  size_t length;
} wspush_publication;

/* Who is in a channel. Set `struct_size` to `sizeof(wspush_presence_info)` before the call. */
typedef struct wspush_presence_info {
  /* `sizeof(wspush_presence_info)`. */
  size_t struct_size;
  /* The channel. */
  struct wspush_str channel;
  /* Which life of it. */
  uint64_t epoch;
  /* The offset of its newest publication at that moment; 0: none yet. */
  uint64_t offset;
  /* How many users are there. */
  uint64_t count;
  /* 1: `wspush_answer_member` gives each of them. 0: they are more than `presence_members_max`, and only counted. */
  int64_t listed;
} wspush_presence_info;

/* A user who is in a channel. Set `struct_size` to `sizeof(wspush_member)` before the call. */
typedef struct wspush_member {
  /* `sizeof(wspush_member)`. */
  size_t struct_size;
  /* The user. */
  struct wspush_str user;
  /* JSON that says more about it; without a length: nothing does. */
  struct wspush_str info;
  /* Its connections in the channel; 0: the last one was lost, and it may be back at once. */
  uint64_t connections;
} wspush_member;

/* A server of a cluster. Set `struct_size` to `sizeof(wspush_node)` before the call. */
typedef struct wspush_node {
  /* `sizeof(wspush_node)`. */
  size_t struct_size;
  /* Its name (setting `node`). */
  struct wspush_str name;
  /* This run of it. */
  struct wspush_str run;
  /* The version that it is of. */
  struct wspush_str version;
  /* When it started, in milliseconds since 1970. */
  uint64_t since_ms;
  /* Its connections, three seconds ago at the most. */
  uint64_t connections;
  /* How far it was behind the streams then, in milliseconds. */
  uint64_t lag_ms;
  /* For how many milliseconds its lease is still good: it is gone then, unless it is heard of. */
  uint64_t lease_ms;
} wspush_node;

/* How a client is let in that has waited. Zero it, set `struct_size` to `sizeof(wspush_acceptance)`, then what there
 * is. */
typedef struct wspush_acceptance {
  /* `sizeof(wspush_acceptance)`. */
  size_t struct_size;
  /* Who it is; NULL: nobody. */
  const char *user;
  /* Its bytes. */
  size_t user_length;
  /* The channels that it receives, separated by commas. */
  const char *channels;
  /* Their bytes. */
  size_t channels_length;
  /* JSON that says more about the user, as in `wspush_connect_set_info`. */
  const char *info;
  /* Its bytes. */
  size_t info_length;
  /* 1: it does not receive the default channel. */
  uint64_t no_broadcast;
  /* Whether its messages are handed over as they come: one of `WSPUSH_PIECES_...`. */
  int64_t pieces;
  /* The subprotocol, as in `wspush_connect_set_protocol`; NULL: the configuration chooses. */
  const char *protocol;
  /* Its bytes. */
  size_t protocol_length;
  /* Headers of the answer, as in `wspush_connect_add_header`: names and values in turn. NULL: none. */
  const struct wspush_str *headers;
  /* How many texts: twice as many as headers. */
  size_t headers_count;
  /* From where on it receives channels, as in `wspush_connect_set_since`: names and beginnings in turn. NULL: from
   * now on. */
  const struct wspush_str *since;
  /* How many texts: twice as many as channels. */
  size_t since_count;
  /* Kept at the connection, as with `wspush_connect_set_attribute`, if the function succeeds. NULL: nothing. */
  void *attribute;
  /* Frees it; may be NULL. */
  wspush_free_attribute free_attribute;
} wspush_acceptance;

/* How a client is refused that has waited. Zero it, set `struct_size` to `sizeof(wspush_refusal)`, then what there is. */
typedef struct wspush_refusal {
  /* `sizeof(wspush_refusal)`. */
  size_t struct_size;
  /* The HTTP status, 400 to 599. */
  uint64_t status;
  /* The answer's body. */
  const char *reason;
  /* Its bytes. */
  size_t reason_length;
  /* Headers of the answer, as in `wspush_connect_add_header`: names and values in turn. NULL: none. */
  const struct wspush_str *headers;
  /* How many texts: twice as many as headers. */
  size_t headers_count;
} wspush_refusal;

/* The terms of a route, where they differ from the server's settings. Zero it, set `struct_size` to
 * `sizeof(wspush_route_terms)`, then what is wanted. */
typedef struct wspush_route_terms {
  /* `sizeof(wspush_route_terms)`. */
  size_t struct_size;
  /* The largest message from a client; 0: the setting `message_bytes_max`. */
  uint64_t message_bytes_max;
  /* The subprotocols offered; the client's first match is chosen. With `wspush.v1` among them clients may speak
   * that, as they may at `/ws`. NULL: the setting `subprotocols`. */
  const struct wspush_str *subprotocols;
  /* How many. */
  size_t subprotocols_count;
  /* The pages that may connect. NULL: the setting `origins`. */
  const struct wspush_str *origins;
  /* How many. */
  size_t origins_count;
  /* Whether messages are handed over as they come: one of `WSPUSH_PIECES_...`. It holds where the decision about a
   * client is `WSPUSH_PIECES_OFF`, which is what it is unless something else is said. */
  int64_t pieces;
  /* The idle time-out that sessions have from the beginning on, as in `wspush_session_set_idle_timeout`. 0: none. */
  uint64_t idle_ms;
} wspush_route_terms;

/* An open session. Set `struct_size` to `sizeof(wspush_session_info)` before the call. */
typedef struct wspush_session_info {
  /* `sizeof(wspush_session_info)`. */
  size_t struct_size;
  /* Its id. */
  uint64_t conn;
  /* Who it is; without a length: nobody has said. */
  struct wspush_str user;
  /* Where it comes from, as `wspush_connect_peer` gives it; without a length: nobody knows. */
  struct wspush_str peer;
  /* Its route, or `WSPUSH_NO_ROUTE`. */
  uint64_t route;
  /* Bytes that wait for it alone: what was sent to it and its socket has not taken. */
  uint64_t outbox_bytes;
  /* 1: it speaks TLS with this server. */
  int64_t is_secure;
} wspush_session_info;

/* A server's numbers as of its last turn. Zero it and set `struct_size` to `sizeof(wspush_stats)` before the call;
 * what an older library doesn't know stays zero. */
typedef struct wspush_stats {
  /* `sizeof(wspush_stats)`. */
  size_t struct_size;
  /* Milliseconds since the start. */
  uint64_t uptime_ms;
  /* Open connections, whatever their transport. */
  uint64_t connections;
  /* Connections that have not finished their handshake, or speak plain HTTP. */
  uint64_t handshaking;
  /* Connections that are closing. */
  uint64_t closing;
  /* Connections on the admin listener. */
  uint64_t admin_connections;
  /* Connections whose socket takes nothing more for now. */
  uint64_t blocked;
  /* Channels alive. */
  uint64_t channels;
  /* Commands from other threads that wait for room in a log. */
  uint64_t inbox_commands;
  /* 1 while the server drains, else 0. */
  uint64_t draining;
  /* Connections that may be open: `max_connections`, or what the descriptor limit leaves. */
  uint64_t connections_max;
  /* Since the start: connections accepted. */
  uint64_t accepted;
  /* Since the start: WebSockets opened. */
  uint64_t handshakes_ok;
  /* Since the start: publications. */
  uint64_t publications;
  /* Since the start: publications written to subscribers, one for each. */
  uint64_t deliveries;
  /* Since the start: messages from clients. */
  uint64_t messages_in;
  /* Since the start: bytes written to sockets. */
  uint64_t send_bytes;
  /* Since the start: bytes read from sockets. */
  uint64_t recv_bytes;
  /* Since the start: times that a slow consumer was moved on to the newest publication. */
  uint64_t slow_skipped;
  /* Open connections by WebSocket. */
  uint64_t connections_ws;
  /* Open connections by Server-Sent Events. */
  uint64_t connections_sse;
  /* Open connections on lines (`/stream`). */
  uint64_t connections_stream;
  /* Polls that wait. */
  uint64_t connections_poll;
} wspush_stats;

/* How far a publication has come, as of the server's last turn:
 * `recipients = written + lagging + skipped + gone`. With several reactors one that has still to take the publication
 * in counts as a recipient that lags. Set `struct_size` to `sizeof(wspush_delivery)` before the call. */
typedef struct wspush_delivery {
  /* `sizeof(wspush_delivery)`. */
  size_t struct_size;
  /* The publication's offset in its channel. */
  uint64_t offset;
  /* Subscribers at the time of the publication, and those who have come back for it since. */
  uint64_t recipients;
  /* Subscribers for whom all its bytes have been handed to the kernel. */
  uint64_t written;
  /* Subscribers that still have to get it. */
  uint64_t lagging;
  /* Slow consumers that were moved past it. */
  uint64_t skipped;
  /* Subscribers that left, or were closed, before they had it. */
  uint64_t gone;
  /* Microseconds from the publication until the first subscriber had it; -1: none has. */
  int64_t first_us;
  /* Microseconds until half of the recipients had it, or with several reactors up to an eighth more; -1: they have
   * not. */
  int64_t median_us;
  /* Microseconds until nobody lagged any more; -1: somebody does. */
  int64_t last_us;
  /* Those of the recipients who have come back for it, or came later and asked for what was there. */
  uint64_t recovered;
} wspush_delivery;

#ifdef __cplusplus
extern "C" {
#endif /* __cplusplus */

/* The ABI of the library that is loaded. Not less than `WSPUSH_ABI_VERSION`: everything in this header is there.
 * Any thread. */
uint32_t wspush_abi_version(void);

/* The library's version, such as "0.1.0"; static, NUL-terminated. Any thread. */
const char *wspush_version(void);

/* The meaning of a status code in a few words; never NULL. The text is static. Any thread. */
const char *wspush_strerror(wspush_status status);

/* The error of this thread's last failed call: which argument, which setting, what the system said. One
 * line, NUL-terminated, never NULL; "" if nothing has failed yet. It stays until this thread's next failure; a
 * success does not clear it. */
const char *wspush_last_error(void);

/* Makes a configuration with the defaults. They have no admin listener, since a library opens no port that nobody
 * asked for (`"admin"` sets one). Free it with `wspush_config_free`. Any thread. */
wspush_status wspush_config_new(struct wspush_config **config);

/* Sets one setting by its name, the one it has in the daemon's TOML file, from text: numbers in decimal, `true` or
 * `false`, a list's entries separated by commas. `WSPUSH_ECONFIG`: no such name, or not such a value;
 * `wspush_last_error` says what would be allowed. Nothing is kept of either text. */
wspush_status wspush_config_set(struct wspush_config *config,
                                const char *name,
                                size_t name_length,
                                const char *value,
                                size_t value_length);

/* As `wspush_config_set`, for numbers, and for booleans with 1 and 0. */
wspush_status wspush_config_set_int(struct wspush_config *config,
                                    const char *name,
                                    size_t name_length,
                                    int64_t value);

/* Lays the settings of a TOML file over those that are there: the daemon's file will do. `WSPUSH_ECONFIG`: it can't be
 * read or has an error, and `wspush_last_error` says in which line. `WSPUSH_EUNSUPPORTED`: the library was built
 * without the cargo feature `daemon`. Reads the file, so it may block. */
wspush_status wspush_config_load(struct wspush_config *config,
                                 const char *path,
                                 size_t path_length);

/* Makes a configuration with the same settings, but without routes (`wspush_route_add`), whose callbacks are another
 * server's. Free it with `wspush_config_free`. */
wspush_status wspush_config_copy(const struct wspush_config *config,
                                 struct wspush_config **copy);

/* Checks what only shows in the whole; `wspush_server_new` does it as well. `WSPUSH_ECONFIG` as in
 * `wspush_config_set`. */
wspush_status wspush_config_check(const struct wspush_config *config);

/* Frees a configuration; servers that were made with it are not concerned. NULL is allowed. */
void wspush_config_free(struct wspush_config *config);

/* Makes a server and binds its addresses; clients wait until it is started or polled. `config` may be NULL: the
 * defaults of `wspush_config_new`. `callbacks` may be NULL: the server pushes and ignores what clients say. Both are
 * copied. Raises the process's soft limit of descriptors to the hard one.
 *
 * With the setting `reactors` at more than 1 the server has as many threads, and callbacks come from all of them at
 * the same time, those of one connection always from the same one; `user_data` is the same for all.
 *
 * Free the server with `wspush_server_free`. `WSPUSH_ECONFIG`, `WSPUSH_ELISTEN`, `WSPUSH_ESYSTEM`:
 * `wspush_last_error` names the setting or the address. Any thread; a process may have several servers. */
wspush_status wspush_server_new(const struct wspush_config *config,
                                const struct wspush_callbacks *callbacks,
                                struct wspush_server **server);

/* Gives the server a thread of its own, on which callbacks run and which blocks all signals; with `reactors` at more
 * than 1 as many. `WSPUSH_ESTATE`: it has one already, or is being polled. `WSPUSH_EWRONGTHREAD` inside a callback. */
wspush_status wspush_server_start(struct wspush_server *server);

/* Instead of starting it: does one turn of the server on this thread, and waits at most `timeout_ms` for something to
 * do (0: not at all; negative: as long as it takes). Callbacks run inside; with `reactors` at more than 1 the others
 * have threads of their own from the first call on, on which theirs run. `WSPUSH_DONE`: the server has drained, and
 * need not be polled again. `WSPUSH_ESTATE`: it was started, or another thread is polling it.
 * `WSPUSH_EWRONGTHREAD` inside a callback. */
wspush_status wspush_server_poll(struct wspush_server *server,
                                 int32_t timeout_ms);

/* A descriptor that is readable when `wspush_server_poll` has something to do, for a host that waits in its own epoll
 * or poll. It stays the server's: don't read, don't close it. It is the same for the server's whole life. */
wspush_status wspush_server_fd(const struct wspush_server *server,
                               int32_t *fd);

/* After how many milliseconds the server must be polled even if its descriptor is not readable; -1: it need not. Ask
 * again after every poll. `WSPUSH_ESTATE` and `WSPUSH_ESTOPPED` as for `wspush_server_poll`; inside a callback 0. */
wspush_status wspush_server_timeout(const struct wspush_server *server,
                                    int32_t *timeout_ms);

/* How many reactors the server has, as the setting `reactors` says, `auto` for this machine. */
wspush_status wspush_server_reactors(const struct wspush_server *server, uint32_t *count);

/* Instead of `wspush_server_poll`, for a host with a loop for each reactor: does one turn of the one with this number,
 * from 0, on this thread, as that does. From the first call on the host has to poll all of them, on one thread in
 * turns or on several; only the first one has listeners, and hands clients to the others. `WSPUSH_DONE`: this one has
 * drained. `WSPUSH_ESTATE`: the server was started or polled, or another thread is polling this reactor.
 * `WSPUSH_ENOTFOUND`: there is none with this number. `WSPUSH_EWRONGTHREAD` inside a callback. */
wspush_status wspush_server_reactor_poll(struct wspush_server *server,
                                         uint32_t reactor,
                                         int32_t timeout_ms);

/* As `wspush_server_fd`, for `wspush_server_reactor_poll`: until the reactor has drained. `WSPUSH_ENOTFOUND`: there is
 * none with this number. */
wspush_status wspush_server_reactor_fd(const struct wspush_server *server,
                                       uint32_t reactor,
                                       int32_t *fd);

/* As `wspush_server_timeout`, for `wspush_server_reactor_poll`. `WSPUSH_ENOTFOUND`: there is no reactor with this
 * number. */
wspush_status wspush_server_reactor_timeout(const struct wspush_server *server,
                                            uint32_t reactor,
                                            int32_t *timeout_ms);

/* The address of a public listener, by index from 0, with the port that port 0 has become: "127.0.0.1:8080".
 * `WSPUSH_ENOTFOUND`: there are no more. The text lives as long as the server. */
wspush_status wspush_server_address(const struct wspush_server *server,
                                    size_t index,
                                    struct wspush_str *address);

/* The address of the admin listener. `WSPUSH_ENOTFOUND`: it has none, or a Unix-domain socket. The text lives as long
 * as the server. */
wspush_status wspush_server_admin_address(const struct wspush_server *server,
                                          struct wspush_str *address);

/* How many connections a running server has handed to this one in `wspush_server_new`, which asks it at the path of
 * the setting `handover`. `on_taken_over` hears of each of them when this one is started or polled.
 * `WSPUSH_ENOTFOUND`: there was none to take over from. Any thread; never blocks.
 *
 * The other way round nothing is to be called: a server with that setting hands everything over to the program that
 * starts next with it. Then it ends as after `wspush_server_drain`, and pushes answer `WSPUSH_ESTOPPED`; while it is
 * under way, they answer `WSPUSH_EAGAIN`. */
wspush_status wspush_server_handover(const struct wspush_server *server,
                                     uint64_t *connections);

/* The port of the first public listener. */
wspush_status wspush_server_port(const struct wspush_server *server, uint16_t *port);

/* Takes over those settings that can change while the server runs; the log says which could not. Never blocks;
 * `WSPUSH_EAGAIN` as for `wspush_broadcast`. */
wspush_status wspush_server_reload(const struct wspush_server *server,
                                   const struct wspush_config *config);

/* Writes the logs into the file of the setting `state_file` while the server goes on, for the successor of one that
 * dies: that has what was published until then, under new epochs, and nobody's position counts as recovered. The log
 * says when it is done, or why not. The end of a drain writes the final state in any case. Never blocks;
 * `WSPUSH_EAGAIN` as for `wspush_broadcast`. */
wspush_status wspush_server_save_state(const struct wspush_server *server);

/* Begins the end and returns at once: no more connections and pushes; what was pushed still goes out, then everybody
 * gets a close frame with 1001, and after `drain_ms` (negative: the setting of that name) whoever is left is cut
 * off. Said again it can only shorten the time. Allowed in callbacks; a polled server must be polled on. */
wspush_status wspush_server_drain(const struct wspush_server *server,
                                  int64_t drain_ms);

/* Drains the server and **blocks** until that is done, `drain_ms` at most (negative: the setting of that name).
 * Callbacks are still called meanwhile: on this thread, if the server was not started. Afterwards everything
 * answers `WSPUSH_ESTOPPED`; a second stop is no error. Other errors tell how the server's thread came to its end.
 * `WSPUSH_EWRONGTHREAD` inside a callback, of whichever server. */
wspush_status wspush_server_stop(struct wspush_server *server,
                                 int64_t drain_ms);

/* Frees a server. One that has not been stopped is stopped first, and everybody is cut off at once. No other thread
 * may be using it: a server that was freed is the one thing that must never be used again. NULL is allowed.
 * `WSPUSH_EWRONGTHREAD` inside a callback; `WSPUSH_EFORK` in a child process. It is not freed then. */
wspush_status wspush_server_free(struct wspush_server *server);

/* The request's path, without the query. */
wspush_status wspush_connect_path(const struct wspush_connect *connect, struct wspush_str *path);

/* The way that it wants to be pushed to: `WSPUSH_TRANSPORT_WS` or another of these numbers. Which of them there are is
 * the setting `transports`; a later library may know more. */
wspush_status wspush_connect_transport(const struct wspush_connect *connect,
                                       int32_t *transport);

/* The first value of a query parameter, decoded. `WSPUSH_ENOTFOUND`: there is none. */
wspush_status wspush_connect_query(struct wspush_connect *connect,
                                   const char *name,
                                   size_t name_length,
                                   struct wspush_str *value);

/* The first value of a header, whose name is compared without regard to case. `WSPUSH_ENOTFOUND`: there is none, or it
 * is not UTF-8. `Authorization` is there once at the most; a client may send any other one several times. */
wspush_status wspush_connect_header(const struct wspush_connect *connect,
                                    const char *name,
                                    size_t name_length,
                                    struct wspush_str *value);

/* Where the client comes from: `192.0.2.1:50000` or `[2001:db8::1]:50000`. `WSPUSH_ENOTFOUND`: it has gone already. */
wspush_status wspush_connect_peer(struct wspush_connect *connect,
                                  struct wspush_str *peer);

/* Whose TLS certificate the client has shown, as `CN=alice,O=Example` (RFC 4514); it was checked against
 * `tls_client_ca`. `WSPUSH_ENOTFOUND`: it has shown none, or wasn't asked (`tls_client_auth`). */
wspush_status wspush_connect_client_subject(struct wspush_connect *connect, struct wspush_str *subject);

/* Whom the token that it has shown names, where the setting `auth` is set, or the backend's answer (`auth_webhook`);
 * the token was checked. It is the connection's user unless `wspush_connect_set_user` names another.
 * `WSPUSH_ENOTFOUND`: it has shown none, or one that names nobody. */
wspush_status wspush_connect_user(const struct wspush_connect *connect,
                                  struct wspush_str *user);

/* The token's `info`, which others may be shown of its user: any JSON, as it stands there. `WSPUSH_ENOTFOUND`: it
 * has shown no token, or one that doesn't say. */
wspush_status wspush_connect_info(const struct wspush_connect *connect,
                                  struct wspush_str *info);

/* Everything that the token says, or the backend's answer (`auth_webhook`), as a JSON object: `sub`, `exp`,
 * `channels`, and whatever else its issuer has put there. `WSPUSH_ENOTFOUND`: it has shown no token, or tokens are not
 * looked at (`auth`), and no backend is asked. */
wspush_status wspush_connect_claims(const struct wspush_connect *connect,
                                    struct wspush_str *claims);

/* The channels that it asks for (`?channel=`), by index from 0. `WSPUSH_ENOTFOUND`: there are no more. */
wspush_status wspush_connect_channel(const struct wspush_connect *connect,
                                     size_t index,
                                     struct wspush_str *channel);

/* Lets it in, whatever the configuration says: with the default channel and those of `wspush_connect_add_channel`,
 * but not those that it asks for. The last one of accept and refuse counts. */
wspush_status wspush_connect_accept(struct wspush_connect *connect);

/* Answers the request with an HTTP status from 400 to 599, the headers of `wspush_connect_add_header` and a reason as
 * its body, instead of opening a WebSocket. A client that asks with `?refusals=close` gets a close frame instead,
 * whose code is 4000 and the status. */
wspush_status wspush_connect_refuse(struct wspush_connect *connect,
                                    uint16_t status,
                                    const char *reason,
                                    size_t reason_length);

/* Lets it wait until `wspush_accept_pending` or `wspush_refuse_pending` is called for `conn`, the id of the
 * connection, from any thread. Until then nothing that it says is read; after `handshake_ms` it is refused with 503.
 * User and channels set here count for nothing. The last one of accept, refuse and pending counts. */
wspush_status wspush_connect_pending(struct wspush_connect *connect,
                                     uint64_t *conn);

/* Says who it is; the callbacks are told, and the admin API. It counts if the client is let in. `WSPUSH_EINVAL`: a
 * name that hasn't 1 to 256 bytes; who has none is not named. */
wspush_status wspush_connect_set_user(struct wspush_connect *connect,
                                      const char *user,
                                      size_t user_length);

/* Lets it receive a channel, beside those it is let in with. */
wspush_status wspush_connect_add_channel(struct wspush_connect *connect,
                                         const char *channel,
                                         size_t channel_length);

/* Says from where on it receives a channel, of those it is let in with or the default one (`broadcast`); `since` as in
 * `wspush_subscribe_since`. Without this the client's own wish counts (`?since=`), or what is published from now on. */
wspush_status wspush_connect_set_since(struct wspush_connect *connect,
                                       const char *channel,
                                       size_t channel_length,
                                       const char *since,
                                       size_t since_length);

/* Whether it receives the default channel, what `wspush_broadcast` sends: it does, unless told otherwise by 0. */
wspush_status wspush_connect_set_broadcast(struct wspush_connect *connect,
                                           int32_t broadcast);

/* Chooses the subprotocol, which must be one that the client offers (`Sec-WebSocket-Protocol`), or else none is
 * chosen. Without it the configuration chooses. */
wspush_status wspush_connect_set_protocol(struct wspush_connect *connect,
                                          const char *protocol,
                                          size_t protocol_length);

/* The connection's id, for `wspush_send` and the like: never 0, and never used twice while the process lives. */
wspush_status wspush_session_id(struct wspush_session *session, uint64_t *conn);

/* The name that `wspush_connect_set_user` gave it; `WSPUSH_ENOTFOUND` if it has none. The text lives while the
 * callback runs. */
wspush_status wspush_session_user(struct wspush_session *session,
                                  struct wspush_str *user);

/* Sends a message to this connection, in the order of the calls: behind what this callback has published and sent
 * before, and before what comes later in other ways. It is copied, and never refused for want of room; behind
 * `wspush_session_close` it is dropped. */
wspush_status wspush_session_reply(struct wspush_session *session,
                                   int32_t kind,
                                   const void *data,
                                   size_t length);

/* Closes this connection after what was replied; code and reason as in `wspush_close`. */
wspush_status wspush_session_close(struct wspush_session *session,
                                   uint16_t code,
                                   const char *reason,
                                   size_t reason_length);

/* Lets this connection receive a channel from now on. */
wspush_status wspush_session_subscribe(struct wspush_session *session,
                                       const char *channel,
                                       size_t channel_length);

/* As `wspush_session_subscribe`, from there on; `since` as in `wspush_subscribe_since`. */
wspush_status wspush_session_subscribe_since(struct wspush_session *session,
                                             const char *channel,
                                             size_t channel_length,
                                             const char *since,
                                             size_t since_length);

/* Lets it receive the channel no more. */
wspush_status wspush_session_unsubscribe(struct wspush_session *session,
                                         const char *channel,
                                         size_t channel_length);

/* Keeps a pointer of the host's at the connection, if it is let in; `free_attribute`, which may be NULL, is called
 * with it once: when another one takes its place, when the connection is gone (behind `on_close` and `on_closed`),
 * when the client is not let in after all, or when the server is freed. A connection without one takes no memory for
 * it. Of a client that waits for its decision (`wspush_connect_pending`) it is freed at once: keep it in `on_open`. */
wspush_status wspush_connect_set_attribute(struct wspush_connect *connect,
                                           void *attribute,
                                           wspush_free_attribute free_attribute);

/* Adds a header to the answer, whether that lets it in or not: a cookie, say, or `WWW-Authenticate`. `WSPUSH_EINVAL`:
 * the name is no token, or the server writes it itself, a control character is in the value, or they are more than
 * 32, or 4 KiB. */
wspush_status wspush_connect_add_header(struct wspush_connect *connect,
                                        const char *name,
                                        size_t name_length,
                                        const char *value,
                                        size_t value_length);

/* Keeps a pointer of the host's at this connection, in place of the one before: as `wspush_connect_set_attribute`. */
wspush_status wspush_session_set_attribute(struct wspush_session *session,
                                           void *attribute,
                                           wspush_free_attribute free_attribute);

/* The pointer that the host keeps at this connection. `WSPUSH_ENOTFOUND`: it keeps none. */
wspush_status wspush_session_attribute(struct wspush_session *session, void **attribute);

/* The route that it has come by, by the number of `wspush_route_add`; `WSPUSH_NO_ROUTE`: by a path of the server's
 * own. */
wspush_status wspush_session_route(struct wspush_session *session,
                                   uint32_t *route);

/* As `wspush_connect_param`. */
wspush_status wspush_session_param(struct wspush_session *session,
                                   const char *name,
                                   size_t name_length,
                                   struct wspush_str *value);

/* Where it comes from: as `wspush_connect_peer`. */
wspush_status wspush_session_peer(struct wspush_session *session, struct wspush_str *peer);

/* Whether it is open: 1, and 0 once the host has closed it in this callback. */
wspush_status wspush_session_is_open(struct wspush_session *session, int32_t *is_open);

/* Closes it with 1001 when so many milliseconds have passed without a message from the client, and without one to it
 * alone; pings, pongs and what is published to many don't count. 0: never, as it is at the beginning. At least 100 and
 * at most 7 days; what is less or more becomes that. */
wspush_status wspush_session_set_idle_timeout(struct wspush_session *session,
                                              uint64_t idle_ms);

/* The largest message that it takes from here on, in place of the route's or the server's: 125 bytes to 256 MiB;
 * what is less or more becomes that. */
wspush_status wspush_session_set_message_bytes_max(struct wspush_session *session,
                                                   uint64_t bytes);

/* The id that it had. */
wspush_status wspush_closed_id(const struct wspush_closed *closed, uint64_t *conn);

/* Who it was. `WSPUSH_ENOTFOUND`: it had no name. */
wspush_status wspush_closed_user(const struct wspush_closed *closed, struct wspush_str *user);

/* The code of the close frame, 1005 if that had none, 1006 if there was no close frame; and the reason with it. */
wspush_status wspush_closed_why(const struct wspush_closed *closed,
                                uint16_t *code,
                                struct wspush_str *reason);

/* As `wspush_session_route`. */
wspush_status wspush_closed_route(const struct wspush_closed *closed, uint32_t *route);

/* As `wspush_session_param`. */
wspush_status wspush_closed_param(const struct wspush_closed *closed,
                                  const char *name,
                                  size_t name_length,
                                  struct wspush_str *value);

/* The pointer that the host has kept there; it is freed when the callback has returned. `WSPUSH_ENOTFOUND`: it has
 * kept none. */
wspush_status wspush_closed_attribute(const struct wspush_closed *closed,
                                      void **attribute);

/* Reads the question. */
wspush_status wspush_authorization_read(const struct wspush_authorization *asked,
                                        struct wspush_authorization_info *info);

/* Says yes. `data` is who it is, as JSON: `{"user_id":"7","user_info":{..}}` in a presence channel, `{"id":"7"}` and
 * what else a backend would sign for a sign-in. NULL: whom a backend has signed, and in a presence channel else the
 * user that it has signed in as. The last one of allow, refuse and pend counts. */
wspush_status wspush_authorization_allow(struct wspush_authorization *asked,
                                         const char *data,
                                         size_t data_length);

/* Says no; the reason is for the client. A sign-in that is refused closes the connection (4009). */
wspush_status wspush_authorization_refuse(struct wspush_authorization *asked,
                                          const char *reason,
                                          size_t reason_length);

/* Lets it wait until `wspush_authorize` or `wspush_refuse_authorization` is called with the `conn` and the `number` of
 * the question, from any thread. The connection goes on meanwhile; after `handshake_ms` it counts as no. */
wspush_status wspush_authorization_pend(struct wspush_authorization *asked);

/* Says yes to a question that waits; `data` as in `wspush_authorization_allow`. It changes nothing about one that is
 * answered, or out of time, or of a client that has gone. Any thread; never blocks; `WSPUSH_EAGAIN` as for
 * `wspush_broadcast`. */
wspush_status wspush_authorize(const struct wspush_server *server,
                               uint64_t conn,
                               uint64_t number,
                               const char *data,
                               size_t data_length);

/* Says no to a question that waits, as `wspush_authorize` says yes. */
wspush_status wspush_refuse_authorization(const struct wspush_server *server,
                                          uint64_t conn,
                                          uint64_t number,
                                          const char *reason,
                                          size_t reason_length);

/* Publishes a message to everybody: to the default channel. `kind` is `WSPUSH_TEXT` or `WSPUSH_BINARY`, perhaps
 * with `WSPUSH_UNCOMPRESSED`; the data is copied. `receipt` may be NULL.
 *
 * Any thread; what one thread asks for happens in its order. Never blocks on the network. `WSPUSH_EAGAIN`: the
 * server's thread is behind, and nothing was published. Others: `WSPUSH_EEMPTY`, `WSPUSH_ETOOLARGE`,
 * `WSPUSH_EUTF8`, `WSPUSH_ESTOPPED`. */
wspush_status wspush_broadcast(const struct wspush_server *server,
                               int32_t kind,
                               const void *data,
                               size_t length,
                               struct wspush_receipt *receipt);

/* As `wspush_broadcast`, to the subscribers of a channel, which is made if need be. `WSPUSH_ECHANNEL`: not a name
 * for a channel, as an empty one is not; `WSPUSH_ECHANNELS`: there are `channels_max` channels, and each has
 * subscribers. */
wspush_status wspush_publish(const struct wspush_server *server,
                             const char *channel,
                             size_t channel_length,
                             int32_t kind,
                             const void *data,
                             size_t length,
                             struct wspush_receipt *receipt);

/* Sends a message to one connection, behind what this thread has published before. Any thread; never blocks;
 * `WSPUSH_EAGAIN` as for `wspush_broadcast`. Only the server's thread sees whether the connection is still there: a
 * message to one that has gone is dropped, and a client that lets too much wait (`outbox_bytes_max`) is closed with
 * 1013. `WSPUSH_EINVAL`: 0 is no connection. */
wspush_status wspush_send(const struct wspush_server *server,
                          uint64_t conn,
                          int32_t kind,
                          const void *data,
                          size_t length);

/* Closes a connection, behind what this thread has published and sent before, with a code (1000 to 1003, 1007 to
 * 1014, 3000 to 4999) and a reason, of which more than 123 bytes are cut off; one that has gone already is no error,
 * but 0 is (`WSPUSH_EINVAL`). Any thread; never blocks; `WSPUSH_EAGAIN` as for `wspush_broadcast`. */
wspush_status wspush_close(const struct wspush_server *server,
                           uint64_t conn,
                           uint16_t code,
                           const char *reason,
                           size_t reason_length);

/* Lets in a client that waits for it (`wspush_connect_pending`): as `user`, or as nobody where that has no length;
 * with these channels, whose names are separated by commas, and with the default channel unless `broadcast` is 0.
 * Nothing happens if it has gone or its time was over. Any thread; never blocks; `WSPUSH_EAGAIN` as for
 * `wspush_broadcast`. */
wspush_status wspush_accept_pending(const struct wspush_server *server,
                                    uint64_t conn,
                                    const char *user,
                                    size_t user_length,
                                    const char *channels,
                                    size_t channels_length,
                                    int32_t broadcast);

/* Refuses a client that waits (`wspush_connect_pending`), with a status and a reason as `wspush_connect_refuse` does.
 * Any thread; never blocks; `WSPUSH_EAGAIN` as for `wspush_broadcast`. */
wspush_status wspush_refuse_pending(const struct wspush_server *server,
                                    uint64_t conn,
                                    uint16_t status,
                                    const char *reason,
                                    size_t reason_length);

/* Lets a connection receive a channel from now on; one that has gone already is no error, but 0 is (`WSPUSH_EINVAL`),
 * and a name that is none (`WSPUSH_ECHANNEL`). Any thread; never blocks; `WSPUSH_EAGAIN` as for `wspush_broadcast`,
 * also if the channel is new and another reactor has no room to hear of it; `WSPUSH_ECHANNELS`: it is new, and
 * somebody needs each of the `channels_max` that there are. What was taken comes true, unless another thread takes
 * the last place for a channel meanwhile: then the log says `not_subscribed`. */
wspush_status wspush_subscribe(const struct wspush_server *server,
                               uint64_t conn,
                               const char *channel,
                               size_t channel_length);

/* As `wspush_subscribe`, from there on: behind a position (`E.O`), or `head`, `earliest`, `last:N`, `time:UNIX_MS`,
 * `latest`; anything else is `WSPUSH_EINVAL`. Nothing happens if it receives the channel already. A publication's
 * position is its receipt's `epoch` and `offset`, both decimal, with a dot between them. */
wspush_status wspush_subscribe_since(const struct wspush_server *server,
                                     uint64_t conn,
                                     const char *channel,
                                     size_t channel_length,
                                     const char *since,
                                     size_t since_length);

/* Lets it receive the channel no more, but for what this thread has published before; as `wspush_subscribe`
 * otherwise. */
wspush_status wspush_unsubscribe(const struct wspush_server *server,
                                 uint64_t conn,
                                 const char *channel,
                                 size_t channel_length);

/* Whether the client's messages are handed over as they come, to `on_fragment`: one of `WSPUSH_PIECES_...`. That is
 * for WebSockets; with `wspush.v1` and everywhere else it changes nothing. */
wspush_status wspush_connect_set_pieces(struct wspush_connect *connect,
                                        int32_t wanted);

/* Has this connection not read until `wspush_session_resume` or `wspush_resume`: nothing that it says is handed over
 * meanwhile. What was read already is kept; what comes waits in the kernel, and then at the client. It is pinged as
 * ever, and its silence is not held against it: whether it is still there is seen when something is written to it.
 * Only a WebSocket can be paused. */
wspush_status wspush_session_pause(struct wspush_session *session);

/* Ends a pause, however often that was asked for. */
wspush_status wspush_session_resume(struct wspush_session *session);

/* Sends a piece of a message, in the order of the calls: the client gets it as a frame of its own. `kind` is
 * `WSPUSH_TEXT` (each piece is valid UTF-8 by itself) or `WSPUSH_BINARY`, and the same for all pieces of a message;
 * `more` is 0 for the last one, which alone may be empty. The data is copied, and not compressed. Until the last piece
 * is sent everything else that is said to the connection waits, publications as well: a channel in which it waits
 * longer than the log lasts has a slow consumer.
 *
 * In `on_open`, `on_message` and `on_fragment` a piece is never refused for want of room, and the client isn't read
 * while it waits. In `on_drained` it has to fit `outbox_bytes_max` together with what waits already, or the client is
 * closed (1013). Pieces of different kinds, and a connection with `wspush.v1` or without a WebSocket, close it (1011). */
wspush_status wspush_session_send_fragment(struct wspush_session *session,
                                           int32_t kind,
                                           int32_t more,
                                           const void *data,
                                           size_t length);

/* Has `on_drained` called when everything that was sent to this connection until now is with the kernel: at once,
 * behind this callback, if that is so already. */
wspush_status wspush_session_notify_drained(struct wspush_session *session);

/* Bytes that wait for this connection alone: what was sent to it and its socket has not taken, and what this callback
 * has sent. */
wspush_status wspush_session_outbox_bytes(struct wspush_session *session,
                                          uint64_t *bytes);

/* As `wspush_session_pause`, for one that the server's thread gets to later: until then callbacks may hear of it.
 * Any thread; never blocks; `WSPUSH_EAGAIN` as for `wspush_broadcast`. Nothing happens if it has gone. */
wspush_status wspush_pause(const struct wspush_server *server,
                           uint64_t conn);

/* Ends a pause, however often that was asked for. As `wspush_pause`. */
wspush_status wspush_resume(const struct wspush_server *server, uint64_t conn);

/* As `wspush_session_send_fragment`, from any thread; never blocks; `WSPUSH_EAGAIN` as for `wspush_broadcast`. What
 * waits for the client is the caller's to bound, with `wspush_notify_drained`, as in `on_drained`. Two threads must
 * not send pieces to the same connection. */
wspush_status wspush_send_fragment(const struct wspush_server *server,
                                   uint64_t conn,
                                   int32_t kind,
                                   int32_t more,
                                   const void *data,
                                   size_t length);

/* Has `on_drained` called when everything that this thread has sent to the connection until now is with the kernel.
 * As `wspush_pause`. */
wspush_status wspush_notify_drained(const struct wspush_server *server,
                                    uint64_t conn);

/* Whether it speaks TLS with this server: 1, or 0. Behind a proxy that ends TLS it doesn't. */
wspush_status wspush_connect_is_secure(const struct wspush_connect *connect, int32_t *is_secure);

/* As `wspush_connect_is_secure`. */
wspush_status wspush_session_is_secure(struct wspush_session *session, int32_t *is_secure);

/* Sends a ping with a payload of at most 125 bytes (`WSPUSH_EINVAL`), in the order of the calls, but between the
 * pieces of a message that is under way. Its answer comes to `on_pong`, unless the payload is empty. Nothing happens
 * without a WebSocket. */
wspush_status wspush_session_ping(struct wspush_session *session,
                                  const void *data,
                                  size_t length);

/* Sends a pong that no ping has asked for; as `wspush_session_ping` otherwise. */
wspush_status wspush_session_pong(struct wspush_session *session, const void *data, size_t length);

/* As `wspush_session_ping`, behind the messages that this thread has sent to the connection before. Any thread; never
 * blocks; `WSPUSH_EAGAIN` as for `wspush_broadcast`. Nothing happens if it has gone. */
wspush_status wspush_ping(const struct wspush_server *server,
                          uint64_t conn,
                          const void *data,
                          size_t length);

/* As `wspush_ping`, with a pong that no ping has asked for. */
wspush_status wspush_pong(const struct wspush_server *server, uint64_t conn, const void *data, size_t length);

/* As `wspush_session_set_idle_timeout`, from any thread; never blocks; `WSPUSH_EAGAIN` as for `wspush_broadcast`.
 * Nothing happens if it has gone. */
wspush_status wspush_set_idle_timeout(const struct wspush_server *server,
                                      uint64_t conn,
                                      uint64_t idle_ms);

/* As `wspush_session_set_message_bytes_max`, from any thread; as `wspush_set_idle_timeout` otherwise. */
wspush_status wspush_set_message_bytes_max(const struct wspush_server *server, uint64_t conn, uint64_t bytes);

/* Publishes a message to several channels at once, or, with an error, to none: to `channels_count` of them, 1 to 256,
 * of which each is named once (`WSPUSH_EINVAL`). The default channel's name is `broadcast`. `terms` may be NULL.
 * `receipts` may be NULL, or has a place for each channel; the `struct_size` of the first one counts for all.
 *
 * `WSPUSH_DUPLICATE`: it was published before, and the receipts are those. `WSPUSH_ECONFLICT`: the newest publication
 * of a channel is not the one of `if_offset`; `wspush_last_conflict` says how it stands. `WSPUSH_EREUSED`: the key
 * stands for another publication. As `wspush_publish` otherwise. */
wspush_status wspush_publish_to(const struct wspush_server *server,
                                const struct wspush_str *channels,
                                size_t channels_count,
                                int32_t kind,
                                const void *data,
                                size_t length,
                                const struct wspush_terms *terms,
                                struct wspush_receipt *receipts);

/* How the channel stands because of which this thread's last failed call was a `WSPUSH_ECONFLICT`. `WSPUSH_ENOTFOUND`:
 * it was none. */
wspush_status wspush_last_conflict(struct wspush_conflict *conflict);

/* Publishes up to 1,000 messages at once, each to a target of its own: all of them or, with an error, none. They go
 * out in their order, and nothing of another thread comes between. `key` may be NULL: a repetition of it, of 1 to 128
 * bytes, within five minutes with the same items gets the first receipts again (`WSPUSH_DUPLICATE`), and nothing is
 * published. `receipts` may be NULL, or has a place for each item; the `struct_size` of the first one counts for all,
 * and what goes to a user or a connection has no place in a log: its `id`, `epoch` and `offset` are 0.
 *
 * For an item that is not right the status is that of `wspush_publish`, `wspush_publish_user` or `wspush_send`, the
 * text begins with `items[N]:`, and `wspush_last_bad_item` has the N. `WSPUSH_EINVAL`: also no items, or more than
 * 1,000. `WSPUSH_EREUSED`: the key stands for something else. As `wspush_publish` otherwise. */
wspush_status wspush_publish_batch(const struct wspush_server *server,
                                   const struct wspush_batch_item *items,
                                   size_t items_count,
                                   const char *key,
                                   size_t key_length,
                                   struct wspush_receipt *receipts);

/* As `wspush_publish_batch`, on terms. Of `terms`, which may be NULL, a batch has the key and the `traceparent`: it is
 * that of all items, and comes back in each receipt, also where there is no place in a log. `WSPUSH_EINVAL`: also with
 * `has_if_offset`, and with a pace, which is an item's. */
wspush_status wspush_publish_batch_on(const struct wspush_server *server,
                                      const struct wspush_batch_item *items,
                                      size_t items_count,
                                      const struct wspush_terms *terms,
                                      struct wspush_receipt *receipts);

/* Which item of a batch, from 0 on, this thread's last failed call was about. `WSPUSH_ENOTFOUND`: it was about none. */
wspush_status wspush_last_bad_item(size_t *index);

/* Sends a message to all connections that a user has when its turn comes, behind what this thread has asked for
 * before: to nobody if the user is away, since what is sent to a user is kept nowhere. A user is whom
 * `wspush_connect_set_user` or a token names. As `wspush_send` otherwise; `WSPUSH_EINVAL`: a name that is empty, or
 * longer than 256 bytes. */
wspush_status wspush_publish_user(const struct wspush_server *server,
                                  const char *user,
                                  size_t user_length,
                                  int32_t kind,
                                  const void *data,
                                  size_t length);

/* Closes all connections that a user has when its turn comes, as `wspush_close` closes one; `WSPUSH_EINVAL` as for
 * `wspush_publish_user`. */
wspush_status wspush_disconnect_user(const struct wspush_server *server,
                                     const char *user,
                                     size_t user_length,
                                     uint16_t code,
                                     const char *reason,
                                     size_t reason_length);

/* As `wspush_disconnect_user`, and refuses the user's tokens that were issued before then (`iat`), or don't say when:
 * to clients that connect, and to those that show one later. Where tokens are not looked at (`auth`), or 100,000 users
 * are revoked already, nothing is done and the log says `not_revoked`. */
wspush_status wspush_revoke_user(const struct wspush_server *server,
                                 const char *user,
                                 size_t user_length,
                                 uint16_t code,
                                 const char *reason,
                                 size_t reason_length);

/* Lets all connections that a user has when its turn comes receive a channel from then on, as `wspush_subscribe` lets
 * one. One that comes later does not; `WSPUSH_EINVAL` as for `wspush_publish_user`. */
wspush_status wspush_subscribe_user(const struct wspush_server *server,
                                    const char *user,
                                    size_t user_length,
                                    const char *channel,
                                    size_t channel_length);

/* As `wspush_subscribe_user`, from there on; `since` as in `wspush_subscribe_since`. */
wspush_status wspush_subscribe_user_since(const struct wspush_server *server,
                                          const char *user,
                                          size_t user_length,
                                          const char *channel,
                                          size_t channel_length,
                                          const char *since,
                                          size_t since_length);

/* Lets them receive the channel no more; as `wspush_subscribe_user` otherwise. */
wspush_status wspush_unsubscribe_user(const struct wspush_server *server,
                                      const char *user,
                                      size_t user_length,
                                      const char *channel,
                                      size_t channel_length);

/* Asks how a channel stands: `wspush_answer_channel` with index 0. Any thread; never blocks; `WSPUSH_EAGAIN` as for
 * `wspush_broadcast`. The answer knows of all that this thread has published before. */
wspush_status wspush_channel(const struct wspush_server *server,
                             const char *channel,
                             size_t channel_length,
                             wspush_on_answer on_answer,
                             void *user_data);

/* Asks which channels there are whose names begin with `prefix`, `limit` (1 to 1,000; 0: 100) at the most:
 * `wspush_answer_channel` with each index. `after` is 0, or what `wspush_answer_next` gave for the page before. The
 * status of the answer is `WSPUSH_EAGAIN` if 64 lists are under way. As `wspush_channel` otherwise. */
wspush_status wspush_channels(const struct wspush_server *server,
                              const char *prefix,
                              size_t prefix_length,
                              uint64_t after,
                              uint32_t limit,
                              wspush_on_answer on_answer,
                              void *user_data);

/* Asks for the publications that a channel has, a page at a time: `wspush_answer_publication` with each index, and
 * `wspush_answer_channel` with index 0. `query` may be NULL. The next page begins behind the position of the last
 * publication: the channel's epoch, a dot, and its offset. As `wspush_channel` otherwise. */
wspush_status wspush_history(const struct wspush_server *server,
                             const char *channel,
                             size_t channel_length,
                             const struct wspush_history_query *query,
                             wspush_on_answer on_answer,
                             void *user_data);

/* Lets a channel forget what was published there; it begins another life, with the same subscribers.
 * `wspush_answer_channel` with index 0 says how it stands then. The status of the answer is `WSPUSH_EAGAIN` while
 * others publish there: try again. As `wspush_channel` otherwise. */
wspush_status wspush_forget_history(const struct wspush_server *server,
                                    const char *channel,
                                    size_t channel_length,
                                    wspush_on_answer on_answer,
                                    void *user_data);

/* Asks which connections a user has, `limit` (1 to 1,000; 0: 100) at the most: `wspush_answer_connection` with each
 * index. `after` is 0, or what `wspush_answer_next` gave for the page before. `WSPUSH_EINVAL` as for
 * `wspush_publish_user`; as `wspush_channel` otherwise. */
wspush_status wspush_user_connections(const struct wspush_server *server,
                                      const char *user,
                                      size_t user_length,
                                      uint64_t after,
                                      uint32_t limit,
                                      wspush_on_answer on_answer,
                                      void *user_data);

/* A channel of the answer, by index from 0. `WSPUSH_ENOTFOUND`: there are no more. */
wspush_status wspush_answer_channel(const struct wspush_answer *answer,
                                    size_t index,
                                    struct wspush_channel_info *channel);

/* A publication of the answer, by index from 0. `WSPUSH_ENOTFOUND`: there are no more. */
wspush_status wspush_answer_publication(const struct wspush_answer *answer,
                                        size_t index,
                                        struct wspush_publication *publication);

/* Which of the publications that were asked for are gone: the offsets of the first and the last one.
 * `WSPUSH_ENOTFOUND`: none are. */
wspush_status wspush_answer_missed(const struct wspush_answer *answer, uint64_t *from, uint64_t *to);

/* A user's connection of the answer, by index from 0: its id. `WSPUSH_ENOTFOUND`: there are no more. */
wspush_status wspush_answer_connection(const struct wspush_answer *answer, size_t index, uint64_t *conn);

/* A channel that a connection of the answer receives, by the indices of both. `WSPUSH_ENOTFOUND`: there are no more. */
wspush_status wspush_answer_connection_channel(const struct wspush_answer *answer,
                                               size_t connection_index,
                                               size_t index,
                                               struct wspush_str *channel);

/* The value to give as `after` for the next page of channels, connections or sessions. `WSPUSH_ENOTFOUND`: that was
 * all. */
wspush_status wspush_answer_next(const struct wspush_answer *answer,
                                 uint64_t *after);

/* Says more about the user to those who see it in a channel with presence, in place of its token's `info`: JSON of at
 * most 1,024 bytes, or without a length nothing. It counts if the client is let in. `WSPUSH_EINVAL`: it is something
 * else. */
wspush_status wspush_connect_set_info(struct wspush_connect *connect,
                                      const char *info,
                                      size_t info_length);

/* Asks who is in a channel: `wspush_answer_presence` and `wspush_answer_member`. The status of the answer is
 * `WSPUSH_ENOTFOUND` also if the channel has no presence. Any thread; never blocks; `WSPUSH_EAGAIN` as for
 * `wspush_broadcast`. The answer knows of all that this thread has asked for before. */
wspush_status wspush_presence(const struct wspush_server *server,
                              const char *channel,
                              size_t channel_length,
                              wspush_on_answer on_answer,
                              void *user_data);

/* How many are in the channel. `WSPUSH_ENOTFOUND`: that was not the question. */
wspush_status wspush_answer_presence(const struct wspush_answer *answer, struct wspush_presence_info *info);

/* A member of the answer, by index from 0 in the order of the names. `WSPUSH_ENOTFOUND`: there are no more. */
wspush_status wspush_answer_member(const struct wspush_answer *answer,
                                   size_t index,
                                   struct wspush_member *member);

/* Asks which servers the cluster has: `wspush_answer_node` with each index, this one among them. Redis is asked, so
 * the status of the answer is `WSPUSH_EAGAIN` if that is away. `WSPUSH_EINVAL`: this server is in none (setting
 * `cluster`). As `wspush_channel` otherwise. */
wspush_status wspush_nodes(const struct wspush_server *server,
                           wspush_on_answer on_answer,
                           void *user_data);

/* A server of the answer, by index from 0. `WSPUSH_ENOTFOUND`: there are no more. */
wspush_status wspush_answer_node(const struct wspush_answer *answer, size_t index, struct wspush_node *node);

/* Lets in a client that waits for it, as `wspush_accept_pending` does, with all that there is to say. Any thread;
 * never blocks; `WSPUSH_EAGAIN` as for `wspush_broadcast`. */
wspush_status wspush_accept_pending_with(const struct wspush_server *server,
                                         uint64_t conn,
                                         const struct wspush_acceptance *acceptance);

/* Refuses a client that waits, as `wspush_refuse_pending` does, with all that there is to say. */
wspush_status wspush_refuse_pending_with(const struct wspush_server *server,
                                         uint64_t conn,
                                         const struct wspush_refusal *refused);

/* Adds a route to the servers that are made with this configuration: whoever asks for a path that `pattern` takes is
 * for these callbacks, whose `on_log` is not used; `user_data` is theirs as well. `terms` may be NULL. `route` is
 * its number, from 0 on.
 *
 * A pattern is a path (`/chat`), may have names for whole segments (`/chat/{room}`: `wspush_connect_param`), and may
 * end with a slash and a star for all that is below. The most specific one counts, and the server's own paths (`/ws`
 * and the like) come first, unless the setting `endpoints` is off. A slash behind a path makes no other one of it.
 * The query is the host's to read. `WSPUSH_ECONFIG`: it is no pattern, takes the same paths as another, or is one
 * more than 250. `wspush_server_new` says it about terms out of bounds, and about a path that the server has itself. */
wspush_status wspush_route_add(struct wspush_config *config,
                               const char *pattern,
                               size_t pattern_length,
                               const struct wspush_route_terms *terms,
                               const struct wspush_callbacks *callbacks,
                               uint32_t *route);

/* How many connections of a route are open. It takes no lock and asks nobody. */
wspush_status wspush_route_online(const struct wspush_server *server, uint32_t route, uint64_t *count);

/* The route that a client asks at, by the number of `wspush_route_add`; `WSPUSH_NO_ROUTE`: at a path of the server's
 * own. */
wspush_status wspush_connect_route(const struct wspush_connect *connect,
                                   uint32_t *route);

/* The value of a name in the route's pattern, decoded: `lobby` for `room` of `/chat/{room}` at `/chat/lobby`. It is
 * not empty, and has no control characters and no `..`, but may have an encoded slash. `WSPUSH_ENOTFOUND`: there is
 * no such name. */
wspush_status wspush_connect_param(const struct wspush_connect *connect,
                                   const char *name,
                                   size_t name_length,
                                   struct wspush_str *value);

/* The rest of the path beyond a pattern that ends with a star, decoded. `WSPUSH_ENOTFOUND`: it does not end so. */
wspush_status wspush_connect_rest(struct wspush_connect *connect,
                                  struct wspush_str *rest);

/* The value of the first cookie of this name, without quotes. `WSPUSH_ENOTFOUND`: there is none, or it is empty. */
wspush_status wspush_connect_cookie(const struct wspush_connect *connect,
                                    const char *name,
                                    size_t name_length,
                                    struct wspush_str *value);

/* Asks about one session: `wspush_answer_session` with index 0. The status of the answer is `WSPUSH_ENOTFOUND` if it
 * is not open any more. As `wspush_channel` otherwise. */
wspush_status wspush_session_of(const struct wspush_server *server,
                                uint64_t conn,
                                wspush_on_answer on_answer,
                                void *user_data);

/* Asks which sessions of a route are open (`WSPUSH_NO_ROUTE`: at all paths), `limit` (1 to 1,000; 0: 100) at the most:
 * `wspush_answer_session` with each index. `after` is 0, or what `wspush_answer_next` gave for the page before. The
 * status of the answer is `WSPUSH_EAGAIN` if 64 lists are under way. As `wspush_channel` otherwise. */
wspush_status wspush_sessions(const struct wspush_server *server,
                              uint32_t route,
                              uint64_t after,
                              uint32_t limit,
                              wspush_on_answer on_answer,
                              void *user_data);

/* A session of the answer, by index from 0. `WSPUSH_ENOTFOUND`: there are no more. */
wspush_status wspush_answer_session(const struct wspush_answer *answer,
                                    size_t index,
                                    struct wspush_session_info *session);

/* The value of a name in its route's pattern. `WSPUSH_ENOTFOUND`: there is no such session, or no such name. */
wspush_status wspush_answer_session_param(const struct wspush_answer *answer,
                                          size_t index,
                                          const char *name,
                                          size_t name_length,
                                          struct wspush_str *value);

/* A name in its route's pattern and its value, by index from 0. `WSPUSH_ENOTFOUND`: there is no such session, or there
 * are no more. */
wspush_status wspush_answer_session_param_at(const struct wspush_answer *answer,
                                             size_t session_index,
                                             size_t index,
                                             struct wspush_str *name,
                                             struct wspush_str *value);

/* The server's numbers as of its last turn. Any thread; also after the server has stopped. */
wspush_status wspush_server_stats(const struct wspush_server *server, struct wspush_stats *stats);

/* How far the publication with this receipt's `id` has come. `WSPUSH_ENOTFOUND`: the server's thread has not seen it
 * yet, or it is not among the newest 4,096. Any thread; also after the server has stopped. */
wspush_status wspush_server_delivery(const struct wspush_server *server,
                                     uint64_t receipt_id,
                                     struct wspush_delivery *delivery);

#ifdef __cplusplus
}  /* extern "C" */
#endif  /* __cplusplus */

#endif  /* WSPUSH_H */
