/*
 * crash-c MIB
 *
 * Fills MIB of memory as a server does: records in a hash table that point at each other and at their
 * strings, a log, counters, encrypted bodies, and half of all pages zero (buffers and tables that
 * nothing was written to yet). Then says "ready", and crashes when its standard input ends.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { BUCKETS = 1 << 16, BATCH = 512 };

struct record {
  struct record *next, *parent;
  void (*release)(struct record *);
  uint64_t id, created_ns;
  uint32_t references, flags;
  char *method, *path;
  double weights[3];
};

static struct record *table[BUCKETS];
static struct record *last;
static uint64_t state = 88172645463325252ull, filled, count;

static uint64_t rnd(void) {
  state ^= state << 13;
  state ^= state >> 7;
  state ^= state << 17;
  return state;
}

static void *take(size_t size) {
  void *memory = malloc(size);
  if (!memory) {
    perror("malloc");
    exit(2);
  }
  filled += size;
  return memory;
}

static void drop(struct record *record) { record->references--; }
static void keep(struct record *record) { record->references++; }

static void records(void) {
  static const char *const methods[] = {"GET", "POST", "PUT", "DELETE"};
  static const char *const things[] = {"orders", "customers", "carts", "invoices", "sessions"};
  for (int i = 0; i < BATCH; i++) {
    struct record *record = take(sizeof *record);
    char path[64];
    int length = snprintf(path, sizeof path, "/v1/%s/%llu/items?page=%u", things[rnd() % 5],
                          (unsigned long long)(rnd() % 1000000), (unsigned)(rnd() % 40));
    *record = (struct record){table[count % BUCKETS], last, rnd() % 3 ? drop : keep, count,
                              1763900000000000000ull + count * 1713, 1 + rnd() % 3, rnd() % 16,
                              (char *)methods[rnd() % 4], take(length + 1),
                              {count / 3.0, 1.0 / (1 + rnd() % 100), 0}};
    memcpy(record->path, path, length + 1);
    table[count++ % BUCKETS] = record;
    if (rnd() % 4 == 0) last = record;
  }
}

static void log_lines(void) {
  static const char *const levels[] = {"INFO", "INFO", "INFO", "WARN", "ERROR"};
  size_t size = 48 << 10, at = 0;
  char *lines = take(size);
  while (at + 160 < size)
    at += sprintf(lines + at, "2026-11-23T%02u:%02u:%02u.%03uZ %s worker-%u took %u us for id=%llu\n",
                  (unsigned)(rnd() % 24), (unsigned)(rnd() % 60), (unsigned)(rnd() % 60),
                  (unsigned)(rnd() % 1000), levels[rnd() % 5], (unsigned)(rnd() % 16),
                  (unsigned)(rnd() % 90000), (unsigned long long)(rnd() % count));
  memset(lines + at, 0, size - at);
}

static void counters(void) {
  size_t length = 8 << 10;
  uint32_t *numbers = take(length * sizeof *numbers);
  for (size_t i = 0; i < length; i++) numbers[i] = rnd() % 3 ? 0 : rnd() % 50000;
}

static void bodies(void) {
  size_t length = 2 << 10;
  volatile uint64_t *words = take(length * sizeof *words);
  for (size_t i = 0; i < length; i++) words[i] = rnd() * 0x2545F4914F6CDD1Dull;
}

static void zeros(uint64_t bytes) {
  while (bytes > 0) {
    uint64_t size = (4 + rnd() % 500) << 10;
    if (size > bytes) size = bytes;
    volatile char *memory = take(size);
    for (uint64_t at = 0; at < size; at += 64) memory[at] = 0; /* as fresh pages: zero all over */
    bytes -= size;
  }
}

int main(int argc, char **argv) {
  uint64_t wanted = argc == 2 ? strtoull(argv[1], 0, 10) << 20 : 0;
  if (wanted == 0) {
    fprintf(stderr, "usage: crash-c MIB\n");
    return 2;
  }
  while (filled < wanted) {
    uint64_t before = filled;
    records();
    log_lines();
    counters();
    bodies();
    zeros(filled - before);
  }
  puts("ready");
  fflush(stdout);
  char byte;
  while (read(0, &byte, 1) > 0) continue;
  abort();
}
