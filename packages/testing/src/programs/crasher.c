// Crashes on request, in the way the test asks for; linked statically, it runs in an empty container.
//
//   crasher [-l lines] [-m MiB] [-S GiB] [-n hex] [-g file] [-w ms] [-s signal] [-T count] [-M count] [-f | -t | -u | -r]
//
//   -l  lines to write, in turn to stdout and stderr (default 4)
//   -m  memory to fill with bytes that do not compress
//   -S  memory to map and hardly touch, so that most of the core is zeros
//   -n  own name (comm), as hexadecimal, since a name may hold any byte but NUL
//   -g  wait for this file before crashing
//   -w  then wait this long
//   -T  threads beside, which wait
//   -M  mappings beside, of a page each
//   -f  crash in a forked child and live on; -t crash in a thread
//   -u  crash by unmapping all memory; -r crash with a stack pointer that points nowhere
#define _GNU_SOURCE
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

static int crash_signal = SIGSEGV;
static const char *name = 0;

__attribute__((noinline)) static void crash_here(void) {
  if (crash_signal == SIGSEGV) *(volatile int *)8 = 1;
  raise(crash_signal);
}

__attribute__((noinline)) static void *crash_in_thread(void *unused) {
  if (!name) prctl(PR_SET_NAME, "crash-thread", 0, 0, 0);
  crash_here();
  return unused;
}

static void *wait_for_ever(void *unused) {
  for (;;) pause();
  return unused;
}

static void start_threads(int count) {
  pthread_attr_t attributes;
  pthread_t thread;
  pthread_attr_init(&attributes);
  pthread_attr_setstacksize(&attributes, 65536);
  for (int i = 0; i < count; i++) {
    if (pthread_create(&thread, &attributes, wait_for_ever, 0)) perror("pthread_create"), exit(2);
  }
}

__attribute__((noinline)) static void crash_in_child(void) {
  crash_here();
  _exit(1);
}

// as pid 1 of a container nothing but a handler makes SIGTERM end us
static void leave(int signal_number) {
  (void)signal_number;
  _exit(0);
}

static void set_name(const char *hex) {
  char name[16] = {0};
  for (size_t i = 0; i < 15 && hex[2 * i]; i++) sscanf(hex + 2 * i, "%2hhx", (unsigned char *)&name[i]);
  prctl(PR_SET_NAME, name, 0, 0, 0);
}

static void fill(size_t mebibytes) {
  size_t words = (mebibytes << 20) / sizeof(uint64_t);
  // volatile: nothing ever reads it, and the compiler would leave the filling out
  volatile uint64_t *memory = malloc(words * sizeof(uint64_t));
  uint64_t state = 88172645463325252ULL;
  for (size_t i = 0; memory && i < words; i++) {
    state ^= state << 13, state ^= state >> 7, state ^= state << 17;
    memory[i] = state;
  }
}

static void map_sparse(size_t gibibytes) {
  size_t size = gibibytes << 30;
  char *memory = mmap(0, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (memory == MAP_FAILED) perror("mmap"), exit(2);
  for (size_t at = 0; at < size; at += 256 << 20) memcpy(memory + at, "touched", 8);
}

// neighbours differ in their protection: the kernel would merge them
static void start_mappings(size_t count) {
  size_t page = sysconf(_SC_PAGESIZE);
  char *memory = mmap(0, count * page, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (memory == MAP_FAILED) perror("mmap"), exit(2);
  for (size_t i = 0; i < count; i += 2) {
    if (mprotect(memory + i * page, page, PROT_READ | PROT_WRITE)) perror("mprotect"), exit(2);
  }
}

// the call does not return: there is no instruction any more
static void unmap_all(void) {
  for (int bits = 56; bits > 40; bits--) syscall(SYS_munmap, 0, (1UL << bits) - 4096);
}

__attribute__((noinline)) static void lose_stack(void) {
#if defined(__x86_64__)
  __asm__ volatile("mov $-9, %rsp; mov $0x1234567890ab, %rbp; push %rax");
#else
  __asm__ volatile("mov sp, %0; str x0, [sp, #-16]!" ::"r"(0x1230UL));
#endif
}

int main(int count, char **arguments) {
  int lines = 4, wait_ms = 0, in_child = 0, in_thread = 0, unmaps = 0, loses_stack = 0, option;
  const char *barrier = 0;
  setvbuf(stdout, 0, _IOLBF, 0);
  signal(SIGTERM, leave);
  while ((option = getopt(count, arguments, "l:m:S:n:g:w:s:T:M:ftur")) != -1) switch (option) {
    case 'l': lines = atoi(optarg); break;
    case 'm': fill(atoi(optarg)); break;
    case 'S': map_sparse(atoi(optarg)); break;
    case 'n': name = optarg; break;
    case 'g': barrier = optarg; break;
    case 'w': wait_ms = atoi(optarg); break;
    case 's': crash_signal = atoi(optarg); break;
    case 'T': start_threads(atoi(optarg)); break;
    case 'M': start_mappings(atoi(optarg)); break;
    case 'f': in_child = 1; break;
    case 't': in_thread = 1; break;
    case 'u': unmaps = 1; break;
    case 'r': loses_stack = 1; break;
    default: return 2;
  }
  if (name) set_name(name);
  for (int i = 1; i <= lines; i++) fprintf(i % 2 ? stdout : stderr, "line %d of %d\n", i, lines);
  while (barrier && access(barrier, F_OK)) usleep(2000);
  usleep(wait_ms * 1000);
  fprintf(stderr, "last words before signal %d\n", crash_signal);
  if (unmaps) unmap_all();
  if (loses_stack) lose_stack();
  if (in_child) {
    pid_t child = fork();
    if (!child) crash_in_child();
    waitpid(child, 0, 0);
    for (;;) pause();
  }
  if (in_thread) {
    pthread_t thread;
    pthread_create(&thread, 0, crash_in_thread, 0);
    pthread_join(thread, 0);
  }
  crash_here();
}
