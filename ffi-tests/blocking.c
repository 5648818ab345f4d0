/* Handlers that block: who may come in, and what is answered, asks a database that takes its time. Two threads do the asking.
 * A client waits for its decision (`wspush_connect_pending`), and one that has said something is paused until it has its
 * answer; so a session has one job at the most, its messages keep their order, and nobody else waits. */
#include <pthread.h>

#include "host.h"

struct job {
  struct job *next;
  uint64_t conn;
  int asks_to_come_in;
  size_t length;
  char text[];
};

static struct {
  pthread_mutex_t lock;
  /* There is a job, or the end; and a word of the driver's. */
  pthread_cond_t changed, answered;
  wspush_server *server;
  struct job *first, **last;
  int ends;
  /* How many slow questions the database answers before it waits for the driver. */
  unsigned answers, waiting, most_waiting;
} work = {.lock = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER, .answered = PTHREAD_COND_INITIALIZER,
          .last = &work.first};

/* What a job needs is copied: the connection may have gone when its turn comes. */
static void put(uint64_t conn, int asks_to_come_in, const void *text, size_t length) {
  struct job *job = malloc(sizeof *job + length);
  HOLDS(job != NULL);
  job->next = NULL, job->conn = conn, job->asks_to_come_in = asks_to_come_in, job->length = length;
  memcpy(job->text, text, length);
  pthread_mutex_lock(&work.lock);
  *work.last = job;
  work.last = &job->next;
  if (++work.waiting > work.most_waiting) work.most_waiting = work.waiting;
  pthread_cond_signal(&work.changed);
  pthread_mutex_unlock(&work.lock);
}

static struct job *take(void) {
  struct job *job;
  pthread_mutex_lock(&work.lock);
  while (!work.first && !work.ends) pthread_cond_wait(&work.changed, &work.lock);
  job = work.first;
  if (job) {
    work.first = job->next;
    if (!work.first) work.last = &work.first;
    work.waiting--;
  }
  pthread_mutex_unlock(&work.lock);
  return job;
}

static int is(const struct job *job, const char *beginning) {
  size_t length = strlen(beginning);
  return job->length >= length && memcmp(job->text, beginning, length) == 0;
}

/* The database: what is slow waits for a word of the driver's. */
static void ask_the_database(const struct job *job) {
  if (!is(job, "slow")) return;
  pthread_mutex_lock(&work.lock);
  while (work.answers == 0 && !work.ends) pthread_cond_wait(&work.answered, &work.lock);
  if (work.answers > 0) work.answers--;
  pthread_mutex_unlock(&work.lock);
}

static void *ask(void *unused) {
  struct job *job;
  (void)unused;
  while ((job = take()) != NULL) {
    ask_the_database(job);
    /* If the connection has gone these change nothing, and behind the server's end they say so. */
    if (!job->asks_to_come_in) {
      char answer[128];
      int length = snprintf(answer, sizeof answer, "re: %.*s", (int)job->length, job->text);
      (void)wspush_send(work.server, job->conn, WSPUSH_TEXT, answer, (size_t)length);
      (void)wspush_resume(work.server, job->conn);
    } else if (is(job, "eve")) {
      (void)wspush_refuse_pending(work.server, job->conn, 403, WSPUSH_STR("not you"));
    } else {
      (void)wspush_accept_pending(work.server, job->conn, job->text, job->length, NULL, 0, 0);
    }
    free(job);
  }
  return NULL;
}

static void on_connect(void *user_data, wspush_server *server, wspush_connect *connect) {
  wspush_str user;
  uint64_t conn = 0;
  (void)user_data, (void)server;
  MUST(wspush_connect_param(connect, WSPUSH_STR("user"), &user));
  MUST(wspush_connect_pending(connect, &conn));
  put(conn, 1, user.data, user.length);
}

static void on_message(void *user_data, wspush_server *server, wspush_session *session, int32_t kind,
                       const void *data, size_t length) {
  uint64_t conn = 0;
  (void)user_data, (void)server;
  HOLDS(kind == WSPUSH_TEXT);
  MUST(wspush_session_id(session, &conn));
  /* Paused before the thread knows of it, which resumes it. */
  MUST(wspush_session_pause(session));
  put(conn, 0, data, length < 100 ? length : 100);
}

int main(void) {
  wspush_callbacks callbacks;
  wspush_config *config = host_config();
  pthread_t threads[2];
  uint32_t route;
  char line[80];
  memset(&callbacks, 0, sizeof callbacks);
  callbacks.struct_size = sizeof callbacks;
  callbacks.on_connect = on_connect, callbacks.on_message = on_message;
  MUST(wspush_route_add(config, WSPUSH_STR("/ask/{user}"), NULL, &callbacks, &route));
  MUST(wspush_server_new(config, NULL, &work.server));
  wspush_config_free(config);
  for (int n = 0; n < 2; n++) HOLDS(pthread_create(&threads[n], NULL, ask, NULL) == 0);
  MUST(wspush_server_start(work.server));
  host_say_port(work.server);
  while (host_command(line, sizeof line)) {
    pthread_mutex_lock(&work.lock);
    work.answers++;
    pthread_cond_signal(&work.answered);
    pthread_mutex_unlock(&work.lock);
  }
  /* No more callbacks, then no more jobs, and the server last, which the threads use. */
  MUST(wspush_server_stop(work.server, 1000));
  pthread_mutex_lock(&work.lock);
  work.ends = 1;
  pthread_cond_broadcast(&work.changed);
  pthread_cond_broadcast(&work.answered);
  pthread_mutex_unlock(&work.lock);
  for (int n = 0; n < 2; n++) pthread_join(threads[n], NULL);
  MUST(wspush_server_free(work.server));
  HOLDS(work.waiting == 0);
  printf("waited %u\n", work.most_waiting);
  return 0;
}
