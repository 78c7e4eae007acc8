/* Load for gRPC servers (HTTP/2, no TLS): a closed loop of unary calls, or many watches at once.
 *
 * Compiled, because a client in Python saturates before the server does. It sends bodies that were
 * encoded before (a file of gRPC frames: 5 bytes of prefix and the message, one after the other),
 * checks the HTTP and gRPC status of every call, and writes raw samples for others to judge:
 * pairs of unsigned 64-bit nanoseconds of CLOCK_MONOTONIC, native byte order.
 *
 *   calls  (start, end) of each call. Every run of 19 '@' in a body becomes the nanosecond at which
 *          the call began, so no two requests are alike.
 *   watch  (stamp, arrival of the last byte) of each message with "stamp:" and 19 digits in it;
 *          ends when as many have come as --limit says.
 *
 * Several ports (--port=1,2) share the connections. One line of JSON on standard output tells counts, failures, bytes and the client's own CPU.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <inttypes.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <arpa/inet.h>
#include <nghttp2/nghttp2.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define STAMP 19
#define MARK "stamp:"
#define NEEDED (sizeof MARK - 1 + STAMP)
#define WINDOW (16 * 1024 * 1024)
#define READ_BYTES (256 * 1024)
#define DRAIN_NS 20000000000ULL

typedef struct { uint8_t *bytes; size_t length; size_t *stamps; size_t stamp_count; } Body;

typedef struct Connection Connection;

typedef struct {
  Connection *connection;
  int32_t stream;
  uint8_t *body;
  size_t length, sent;
  uint64_t start;
  int http_status, grpc_status;
  char message[160];
  uint64_t received;
  /* the message that is arriving */
  uint8_t head[5];
  size_t head_length;
  uint32_t left;
  uint64_t stamp;
  uint8_t tail[NEEDED];
  size_t tail_length;
} Slot;

struct Connection {
  int fd;
  nghttp2_session *session;
  uint8_t *out;
  size_t out_start, out_end, out_capacity;
  int wants_out;
};

static struct {
  int watch, keep_open, connections, streams;
  const char *host, *path, *authority;
  int ports[16], port_count;
  double seconds;
  uint64_t interval_ns, read_per_s, limit;
  FILE *samples;
} option = {.connections = 1, .streams = 1, .seconds = 3};

static Body *bodies;
static size_t body_count, next_body;
static uint64_t begun, deadline, last_stamp, next_due;
static uint64_t calls, failed, received, submitted, least = UINT64_MAX, most, in_flight;
static char first_failure[256];
static volatile sig_atomic_t stopped;
static int epoll;

static void die(const char *what) { perror(what); exit(2); }

static uint64_t now_ns(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (uint64_t)t.tv_sec * 1000000000ULL + (uint64_t)t.tv_nsec;
}

static void sample(uint64_t from, uint64_t to) {
  uint64_t pair[2] = {from, to};
  fwrite(pair, sizeof pair, 1, option.samples);
}

static void failure(const Slot *slot, const char *how) {
  if (!failed++)
    snprintf(first_failure, sizeof first_failure, "%s http %d grpc %d %s", how, slot->http_status,
             slot->grpc_status, slot->message);
}

/* ---- bodies ---- */

static void find_stamps(Body *body) {
  static const char token[] = "@@@@@@@@@@@@@@@@@@@";
  uint8_t *at = body->bytes, *end = body->bytes + body->length;
  while ((at = memmem(at, (size_t)(end - at), token, STAMP))) {
    body->stamps = realloc(body->stamps, (body->stamp_count + 1) * sizeof *body->stamps);
    body->stamps[body->stamp_count++] = (size_t)(at - body->bytes);
    at += STAMP;
  }
}

static void load_bodies(const char *name) {
  FILE *file = fopen(name, "rb");
  uint8_t head[5];
  if (!file) die(name);
  while (fread(head, 1, 5, file) == 5) {
    size_t length = (size_t)head[1] << 24 | head[2] << 16 | head[3] << 8 | head[4];
    bodies = realloc(bodies, (body_count + 1) * sizeof *bodies);
    Body *body = &bodies[body_count++];
    *body = (Body){malloc(length + 5), length + 5, NULL, 0};
    memcpy(body->bytes, head, 5);
    if (fread(body->bytes + 5, 1, length, file) != length) die("bodies end early");
    find_stamps(body);
  }
  fclose(file);
  if (!body_count) { fprintf(stderr, "no bodies\n"); exit(2); }
}

static void fill(Slot *slot) {
  const Body *body = &bodies[next_body++ % body_count];
  char digits[STAMP + 1];
  slot->body = realloc(slot->body, body->length);
  memcpy(slot->body, body->bytes, body->length);
  slot->length = body->length;
  slot->sent = 0;
  slot->start = now_ns();
  last_stamp = slot->start > last_stamp ? slot->start : last_stamp + 1;
  snprintf(digits, sizeof digits, "%019" PRIu64, last_stamp);
  for (size_t i = 0; i < body->stamp_count; i++) memcpy(slot->body + body->stamps[i], digits, STAMP);
}

/* ---- HTTP/2 ---- */

static ssize_t give_body(nghttp2_session *session, int32_t stream, uint8_t *into, size_t length,
                         uint32_t *flags, nghttp2_data_source *source, void *user) {
  Slot *slot = source->ptr;
  size_t part = slot->length - slot->sent;
  (void)session; (void)stream; (void)user;
  if (!part && option.keep_open) return NGHTTP2_ERR_DEFERRED;
  if (part > length) part = length;
  memcpy(into, slot->body + slot->sent, part);
  slot->sent += part;
  if (slot->sent == slot->length && !option.keep_open) *flags |= NGHTTP2_DATA_FLAG_EOF;
  return (ssize_t)part;
}

static void submit(Slot *slot) {
#define HEADER(n, v) {(uint8_t *)(n), (uint8_t *)(v), sizeof(n) - 1, strlen(v), \
    NGHTTP2_NV_FLAG_NO_COPY_NAME | NGHTTP2_NV_FLAG_NO_COPY_VALUE}
  const nghttp2_nv headers[] = {
      HEADER(":method", "POST"), HEADER(":scheme", "http"), HEADER(":path", option.path),
      HEADER(":authority", option.authority), HEADER("te", "trailers"),
      HEADER("content-type", "application/grpc"), HEADER("user-agent", "dagcatalog-bench")};
  nghttp2_data_provider provider = {.source.ptr = slot, .read_callback = give_body};
  fill(slot);
  slot->http_status = 0;
  slot->grpc_status = -1;
  slot->message[0] = 0;
  slot->received = slot->head_length = slot->left = slot->stamp = slot->tail_length = 0;
  slot->stream = nghttp2_submit_request(slot->connection->session, NULL, headers,
                                        sizeof headers / sizeof *headers, &provider, slot);
  if (slot->stream < 0) { fprintf(stderr, "%s\n", nghttp2_strerror(slot->stream)); exit(2); }
  submitted++;
  in_flight++;
}

static int may_go_on(void) {
  return !stopped && now_ns() < deadline && (!option.limit || submitted < option.limit);
}

static int on_header(nghttp2_session *session, const nghttp2_frame *frame, const uint8_t *name,
                     size_t name_length, const uint8_t *value, size_t length, uint8_t flags,
                     void *user) {
  Slot *slot = nghttp2_session_get_stream_user_data(session, frame->hd.stream_id);
  (void)flags; (void)user;
  if (!slot) return 0;
  if (name_length == 7 && !memcmp(name, ":status", 7)) {
    slot->http_status = atoi((const char *)value);
  } else if (name_length == 11 && !memcmp(name, "grpc-status", 11)) {
    slot->grpc_status = atoi((const char *)value);
  } else if (name_length == 12 && !memcmp(name, "grpc-message", 12)) {
    size_t part = length < sizeof slot->message - 1 ? length : sizeof slot->message - 1;
    for (size_t i = 0; i < part; i++)
      slot->message[i] = (char)(value[i] == '"' || value[i] == '\\' || value[i] < 32 ? ' ' : value[i]);
    slot->message[part] = 0;
  }
  return 0;
}

static uint64_t read_stamp(const uint8_t *at) {
  uint64_t number = 0;
  for (size_t i = 0; i < STAMP; i++) number = number * 10 + (at[i] - '0');
  return number;
}

static void look_for_stamp(Slot *slot, const uint8_t *data, size_t length) {
  uint8_t seam[2 * NEEDED];
  size_t head = length < NEEDED ? length : NEEDED;
  const uint8_t *at;
  memcpy(seam, slot->tail, slot->tail_length);
  memcpy(seam + slot->tail_length, data, head);
  at = memmem(seam, slot->tail_length + head, MARK, sizeof MARK - 1);
  if (!at || at + NEEDED > seam + slot->tail_length + head) {
    at = memmem(data, length, MARK, sizeof MARK - 1);
    if (at && at + NEEDED > data + length) at = NULL;
  }
  if (at) {
    slot->stamp = read_stamp(at + sizeof MARK - 1);
  } else if (length >= NEEDED) {
    memcpy(slot->tail, data + length - (NEEDED - 1), slot->tail_length = NEEDED - 1);
  } else {
    size_t all = slot->tail_length + length, keep = all < NEEDED - 1 ? all : NEEDED - 1;
    memmove(slot->tail, seam + all - keep, slot->tail_length = keep);
  }
}

static void take_messages(Slot *slot, const uint8_t *data, size_t length) {
  while (length) {
    if (slot->head_length < 5) {
      slot->head[slot->head_length++] = *data++;
      length--;
      if (slot->head_length < 5) continue;
      slot->left = (uint32_t)slot->head[1] << 24 | slot->head[2] << 16 | slot->head[3] << 8 | slot->head[4];
    }
    size_t part = length < slot->left ? length : slot->left;
    if (!slot->stamp && part) look_for_stamp(slot, data, part);
    data += part;
    length -= part;
    slot->left -= (uint32_t)part;
    if (!slot->left) {
      if (slot->stamp) sample(slot->stamp, now_ns()), calls++;
      slot->head_length = slot->stamp = slot->tail_length = 0;
    }
  }
}

static int on_data(nghttp2_session *session, uint8_t flags, int32_t stream, const uint8_t *data,
                   size_t length, void *user) {
  Slot *slot = nghttp2_session_get_stream_user_data(session, stream);
  (void)flags; (void)user;
  received += length;
  if (!slot) return 0;
  slot->received += length;
  if (option.watch) take_messages(slot, data, length);
  return 0;
}

static int on_close(nghttp2_session *session, int32_t stream, uint32_t code, void *user) {
  Slot *slot = nghttp2_session_get_stream_user_data(session, stream);
  (void)code; (void)user;
  if (!slot) return 0;
  in_flight--;
  if (option.watch) {
    if (!stopped) failure(slot, "a watch ended:");
    return 0;
  }
  sample(slot->start, now_ns());
  calls++;
  if (slot->http_status != 200 || slot->grpc_status != 0) failure(slot, "a call failed:");
  if (slot->received < least) least = slot->received;
  if (slot->received > most) most = slot->received;
  if (!option.interval_ns && may_go_on()) submit(slot);
  return 0;
}

/* ---- sockets ---- */

static void arm(Connection *connection, int wants_out, int operation) {
  struct epoll_event event = {.events = EPOLLIN | (wants_out ? EPOLLOUT : 0), .data.ptr = connection};
  if (operation == EPOLL_CTL_MOD && connection->wants_out == wants_out) return;
  connection->wants_out = wants_out;
  if (epoll_ctl(epoll, operation, connection->fd, &event)) die("epoll_ctl");
}

static void flush_out(Connection *connection) {
  for (;;) {
    const uint8_t *data;
    ssize_t length = 0;
    if (connection->out_start == connection->out_end) connection->out_start = connection->out_end = 0;
    while (connection->out_end < 128 * 1024 &&
           (length = nghttp2_session_mem_send(connection->session, &data)) > 0) {
      size_t end = connection->out_end + (size_t)length;
      if (end > connection->out_capacity)
        connection->out = realloc(connection->out, connection->out_capacity = 2 * end);
      memcpy(connection->out + connection->out_end, data, (size_t)length);
      connection->out_end = end;
    }
    if (length < 0) { fprintf(stderr, "%s\n", nghttp2_strerror((int)length)); exit(2); }
    if (connection->out_start == connection->out_end) { arm(connection, 0, EPOLL_CTL_MOD); return; }
    ssize_t sent = send(connection->fd, connection->out + connection->out_start,
                        connection->out_end - connection->out_start, MSG_NOSIGNAL);
    if (sent < 0 && errno != EAGAIN) die("send");
    if (sent > 0) connection->out_start += (size_t)sent;
    if (connection->out_start < connection->out_end) { arm(connection, 1, EPOLL_CTL_MOD); return; }
  }
}

static void read_in(Connection *connection, size_t most_bytes) {
  static uint8_t buffer[READ_BYTES];
  ssize_t length = recv(connection->fd, buffer, most_bytes, 0);
  if (length < 0 && errno == EAGAIN) return;
  if (length <= 0) {
    if (stopped) return;
    fprintf(stderr, "the server closed a connection: %s\n", length ? strerror(errno) : "end of stream");
    exit(3);
  }
  ssize_t taken = nghttp2_session_mem_recv(connection->session, buffer, (size_t)length);
  if (taken < 0) { fprintf(stderr, "%s\n", nghttp2_strerror((int)taken)); exit(2); }
}

static void open_connection(Connection *connection, int port, nghttp2_session_callbacks *callbacks) {
  struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
  int one = 1, small = 4096, window = option.read_per_s ? 65535 : WINDOW;
  nghttp2_settings_entry settings[] = {
      {NGHTTP2_SETTINGS_ENABLE_PUSH, 0},
      {NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS, 0},
      {NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, (uint32_t)window},
      {NGHTTP2_SETTINGS_MAX_FRAME_SIZE, option.read_per_s ? 16384 : 1024 * 1024}};
  inet_pton(AF_INET, option.host, &address.sin_addr);
  connection->fd = socket(AF_INET, SOCK_STREAM, 0);
  if (option.read_per_s) setsockopt(connection->fd, SOL_SOCKET, SO_RCVBUF, &small, sizeof small);
  if (connect(connection->fd, (struct sockaddr *)&address, sizeof address)) die("connect");
  setsockopt(connection->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
  fcntl(connection->fd, F_SETFL, O_NONBLOCK);
  nghttp2_session_client_new(&connection->session, callbacks, connection);
  nghttp2_submit_settings(connection->session, NGHTTP2_FLAG_NONE, settings, 4);
  if (!option.read_per_s)
    nghttp2_session_set_local_window_size(connection->session, NGHTTP2_FLAG_NONE, 0, 4 * WINDOW);
  arm(connection, 0, EPOLL_CTL_ADD);
}

/* ---- the run ---- */

static void on_signal(int number) { (void)number; stopped = 1; }

static int is_over(void) {
  uint64_t now = now_ns();
  if (option.watch) return stopped || now >= deadline || (option.limit && calls >= option.limit);
  if (may_go_on()) return 0;
  return !in_flight || now > deadline + DRAIN_NS;
}

static void pace(Slot *slots, int count) {
  while (may_go_on() && now_ns() >= next_due) {
    Slot *free_slot = NULL;
    for (int i = 0; i < count && !free_slot; i++)
      if (!slots[i].stream || !nghttp2_session_get_stream_user_data(slots[i].connection->session, slots[i].stream))
        free_slot = &slots[i];
    if (!free_slot) return;  /* all are busy: this call is late, and the next one too */
    submit(free_slot);
    flush_out(free_slot->connection);
    next_due += option.interval_ns;
  }
}

static void run(Slot *slots, int count) {
  struct epoll_event events[256];
  while (!is_over()) {
    int wait_ms = option.interval_ns || option.read_per_s ? 1 : 50;
    int found;
    if (option.read_per_s) {  /* one sip a tenth of a second */
      usleep(100000);
      wait_ms = 0;
    }
    found = epoll_wait(epoll, events, 256, wait_ms);
    for (int i = 0; i < found; i++) {
      Connection *connection = events[i].data.ptr;
      if (events[i].events & (EPOLLIN | EPOLLHUP | EPOLLERR))
        read_in(connection, option.read_per_s ? option.read_per_s / 10 : READ_BYTES);
      flush_out(connection);
    }
    if (option.interval_ns) pace(slots, count);
  }
}

static void tell(void) {
  struct rusage usage;
  uint64_t taken = now_ns() - begun;
  getrusage(RUSAGE_SELF, &usage);
  printf("{\"calls\": %" PRIu64 ", \"failed\": %" PRIu64 ", \"unanswered\": %" PRIu64
         ", \"seconds\": %.6f, \"begun_ns\": %" PRIu64 ", \"received\": %" PRIu64
         ", \"least\": %" PRIu64 ", \"most\": %" PRIu64
         ", \"cpu_s\": %.3f, \"first_failure\": \"%s\"}\n",
         calls, failed, option.watch ? 0 : in_flight, (double)taken / 1e9, begun, received,
         calls && !option.watch ? least : 0, most,
         (double)usage.ru_utime.tv_sec + (double)usage.ru_stime.tv_sec +
             (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6,
         first_failure);
}

static void read_ports(char *text) {
  for (char *one = strtok(text, ","); one && option.port_count < 16; one = strtok(NULL, ","))
    option.ports[option.port_count++] = atoi(one);
}

static void read_options(int argc, char **argv) {
  static const struct option known[] = {
      {"host", 1, 0, 'h'}, {"port", 1, 0, 'p'}, {"path", 1, 0, 'P'}, {"bodies", 1, 0, 'b'},
      {"connections", 1, 0, 'c'}, {"streams", 1, 0, 's'}, {"seconds", 1, 0, 't'},
      {"samples", 1, 0, 'o'}, {"interval-ms", 1, 0, 'i'}, {"keep-open", 0, 0, 'k'},
      {"read-per-s", 1, 0, 'r'}, {"limit", 1, 0, 'l'}, {"watch", 0, 0, 'w'}, {0, 0, 0, 0}};
  int letter;
  option.authority = "127.0.0.1";
  while ((letter = getopt_long(argc, argv, "", known, NULL)) != -1) switch (letter) {
      case 'h': option.host = option.authority = optarg; break;
      case 'p': read_ports(optarg); break;
      case 'P': option.path = optarg; break;
      case 'b': load_bodies(optarg); break;
      case 'c': option.connections = atoi(optarg); break;
      case 's': option.streams = atoi(optarg); break;
      case 't': option.seconds = atof(optarg); break;
      case 'o': option.samples = fopen(optarg, "wb"); break;
      case 'i': option.interval_ns = (uint64_t)(atof(optarg) * 1e6); break;
      case 'k': option.keep_open = 1; break;
      case 'r': option.read_per_s = strtoull(optarg, NULL, 10); break;
      case 'l': option.limit = strtoull(optarg, NULL, 10); break;
      case 'w': option.watch = 1; break;
      default: exit(2);
    }
  if (!option.host || !option.port_count || !option.path || !option.samples || !body_count) {
    fprintf(stderr, "needed: --host --port --path --bodies --samples\n");
    exit(2);
  }
}

int main(int argc, char **argv) {
  nghttp2_session_callbacks *callbacks;
  read_options(argc, argv);
  signal(SIGTERM, on_signal);
  signal(SIGINT, on_signal);
  nghttp2_session_callbacks_new(&callbacks);
  nghttp2_session_callbacks_set_on_header_callback(callbacks, on_header);
  nghttp2_session_callbacks_set_on_data_chunk_recv_callback(callbacks, on_data);
  nghttp2_session_callbacks_set_on_stream_close_callback(callbacks, on_close);
  epoll = epoll_create1(0);
  int count = option.connections * option.streams;
  Connection *connections = calloc((size_t)option.connections, sizeof *connections);
  Slot *slots = calloc((size_t)count, sizeof *slots);
  for (int i = 0; i < option.connections; i++) 
    open_connection(&connections[i], option.ports[i % option.port_count], callbacks);
  begun = next_due = now_ns();
  deadline = begun + (uint64_t)(option.seconds * 1e9);
  for (int i = 0; i < count; i++) {
    slots[i].connection = &connections[i % option.connections];
    if (!option.interval_ns) submit(&slots[i]);
  }
  for (int i = 0; i < option.connections; i++) flush_out(&connections[i]);
  run(slots, count);
  fclose(option.samples);
  tell();
  return 0;
}
