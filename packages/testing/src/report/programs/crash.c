#define _GNU_SOURCE
#include <dirent.h>
#include <dlfcn.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static volatile int sink;
static int *volatile null_pointer;
static char *volatile kept;

__attribute__((noinline)) static void crash_here(void) { *null_pointer = 42; sink++; }
__attribute__((noinline)) static void crash_there(void) { sink++; *null_pointer = 43; sink++; }

__attribute__((noinline)) static int level(int depth) {
  char pad[64];
  memset(pad, depth, sizeof pad);
  sink += pad[depth & 63];
  if (depth == 0) crash_here();
  else level(depth - 1);
  sink += pad[3];
  return sink;
}

static int compare(const void *a, const void *b) {
  if (*(const int *)a == 3) level(5);
  return *(const int *)a - *(const int *)b;
}

__attribute__((noinline)) static void sort_and_crash(void) {
  int values[] = {5, 4, 3, 2, 1, 9, 8};
  qsort(values, 7, sizeof(int), compare);
  sink++;
}

static pthread_barrier_t barrier;

static void *wait_for_ever(void *index) {
  pthread_barrier_wait(&barrier);
  if ((long)index % 2) poll(NULL, 0, -1);
  else sleep(1000);
  return NULL;
}

static int count_running(void) {
  int running = 0;
  DIR *tasks = opendir("/proc/self/task");
  for (struct dirent *entry; (entry = readdir(tasks));) {
    char path[300], state = 'S';
    snprintf(path, sizeof path, "/proc/self/task/%s/stat", entry->d_name);
    FILE *stat = fopen(path, "r");
    if (!stat) continue;
    if (fscanf(stat, "%*d (%*[^)]) %c", &state) == 1 && state == 'R') running++;
    fclose(stat);
  }
  closedir(tasks);
  return running;
}

static void *sort_in_thread(void *unused) {
  pthread_barrier_wait(&barrier);
  // until all others wait where they are meant to, however busy the machine is
  for (int quiet = 0; quiet < 5; usleep(20000)) quiet = count_running() > 1 ? 0 : quiet + 1;
  sort_and_crash();
  return unused;
}

static void start_threads(int count) {
  pthread_attr_t attributes;
  pthread_attr_init(&attributes);
  pthread_attr_setstacksize(&attributes, 65536);
  pthread_barrier_init(&barrier, NULL, count + 1);
  pthread_t thread;
  for (long index = 0; index < count; index++) {
    pthread_create(&thread, &attributes, wait_for_ever, (void *)index);
  }
}

__attribute__((noinline)) static int recurse(int depth) {
  char pad[48];
  memset(pad, depth, sizeof pad);
  sink += pad[depth & 31];
  return recurse(depth + 1) + pad[1];
}

__attribute__((noinline)) static int recurse_wide(int depth) {
  char pad[16000];
  memset(pad, depth, sizeof pad);
  sink += pad[depth & 31];
  return recurse_wide(depth + 1) + pad[1];
}

static void *recurse_in_thread(void *unused) {
  sink += recurse(0);
  return unused;
}

static void handle_by_abort(int signal) {
  sink += signal;
  abort();
}

static void install_handler(int flags) {
  static char stack[65536];
  stack_t alternate = {.ss_sp = stack, .ss_size = sizeof stack};
  if (flags & SA_ONSTACK) sigaltstack(&alternate, NULL);
  struct sigaction action = {.sa_handler = handle_by_abort, .sa_flags = flags};
  sigaction(SIGSEGV, &action, NULL);
}

__attribute__((noinline)) static void smash(const char *text) {
  char small[8];
  strcpy(small, text);
  sink += small[0];
}

__attribute__((noinline)) static void free_twice(void) {
  char *memory = malloc(2000);
  sink += memory[3];
  free(memory);
  free(memory);
  sink++;
}

__attribute__((noinline)) static void call_null(void) {
  void (*volatile function)(void) = NULL;
  function();
  sink++;
}

__attribute__((noinline)) static void keep_secrets(void) {
  char *heap = malloc(65536);
  strcpy(heap, "HEAP_CANARY_77");
  kept = heap;
  char local[32];
  strcpy(local, "STACK_CANARY_77");
  char *environment = getenv("SECRET");
  sink += strlen(environment) + local[sink & 3] + heap[5];
  crash_here();
  sink += local[1];
}

static void run(const char *mode, char **arguments) {
  if (!strcmp(mode, "here")) crash_here();
  else if (!strcmp(mode, "there")) crash_there();
  else if (!strcmp(mode, "later")) { sleep(3); crash_here(); }
  else if (!strcmp(mode, "sort")) sort_and_crash();
  else if (!strcmp(mode, "overflow")) sink += recurse(0);
  else if (!strcmp(mode, "overflow-wide")) sink += recurse_wide(0);
  else if (!strcmp(mode, "smash")) smash(arguments[0]);
  else if (!strcmp(mode, "free-twice")) free_twice();
  else if (!strcmp(mode, "call-null")) call_null();
  else if (!strcmp(mode, "secrets")) keep_secrets();
  else if (!strcmp(mode, "handler")) { install_handler(0); sort_and_crash(); }
  else if (!strcmp(mode, "handler-on-stack")) { install_handler(SA_ONSTACK); sort_and_crash(); }
  else if (!strcmp(mode, "overflow-on-stack")) { install_handler(SA_ONSTACK); sink += recurse(0); }
  else if (!strcmp(mode, "overflow-in-thread")) {
    pthread_t thread;
    pthread_create(&thread, NULL, recurse_in_thread, NULL);
    pthread_join(thread, NULL);
  } else if (!strcmp(mode, "threads")) {
    start_threads(atoi(arguments[0]));
    pthread_t thread;
    pthread_create(&thread, NULL, sort_in_thread, NULL);
    pthread_join(thread, NULL);
  } else if (!strcmp(mode, "plugin")) {
    void *library = dlopen(arguments[0], RTLD_NOW);
    void (*function)(void) = (void (*)(void))dlsym(library, "plugin_crash");
    function();
    sink++;
  }
}

int main(int count, char **arguments) {
  sink = count - count;
  run(arguments[1], arguments + 2);
  return 0;
}
