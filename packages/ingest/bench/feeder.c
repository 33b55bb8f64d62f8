/*
 * feeder FILE -- COMMAND...
 *
 * Feeds FILE to the standard input of COMMAND as the kernel feeds a core to a core_pattern program:
 * page by page (4 KiB writes) into a pipe of 64 KiB. Prints one line of JSON on fd 3: seconds until
 * the pipe was drained (how long the kernel would hold the crashed process), until COMMAND exited,
 * its CPU time and its memory (RssAnon is looked up every 8 MiB).
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { PAGE = 4096, LOOK_EVERY = 8 << 20 };

static double now(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return t.tv_sec + t.tv_nsec * 1e-9;
}

static double seconds(struct timeval t) { return t.tv_sec + t.tv_usec * 1e-6; }

static long rss_anon_kib(pid_t pid) {
  char path[64], text[4096];
  snprintf(path, sizeof path, "/proc/%d/status", pid);
  int fd = open(path, O_RDONLY | O_CLOEXEC);
  if (fd < 0) return 0;
  ssize_t n = read(fd, text, sizeof text - 1);
  close(fd);
  if (n <= 0) return 0;
  text[n] = 0;
  char *at = strstr(text, "RssAnon:");
  return at ? atol(at + 8) : 0;
}

int main(int argc, char **argv) {
  if (argc < 4 || strcmp(argv[2], "--") != 0) {
    fprintf(stderr, "usage: feeder FILE -- COMMAND...\n");
    return 2;
  }
  int file = open(argv[1], O_RDONLY | O_CLOEXEC);
  struct stat st;
  if (file < 0 || fstat(file, &st) < 0) {
    perror(argv[1]);
    return 2;
  }
  size_t length = st.st_size;
  char *core = mmap(0, length, PROT_READ, MAP_SHARED | MAP_POPULATE, file, 0);
  if (core == MAP_FAILED) {
    perror("mmap");
    return 2;
  }
  int ends[2];
  if (pipe2(ends, O_CLOEXEC) < 0) return 2;
  signal(SIGPIPE, SIG_IGN);

  double start = now();
  pid_t child = fork();
  if (child == 0) {
    dup2(ends[0], 0);
    execvp(argv[3], argv + 3);
    perror(argv[3]);
    _exit(127);
  }
  close(ends[0]);
  long peak = 0;
  int error = 0;
  size_t at = 0;
  for (size_t look = LOOK_EVERY; at < length;) {
    size_t size = length - at < PAGE ? length - at : PAGE;
    ssize_t n = write(ends[1], core + at, size);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) {
      error = errno;
      break;
    }
    at += n;
    if (at >= look) {
      long anon = rss_anon_kib(child);
      if (anon > peak) peak = anon;
      look += LOOK_EVERY;
    }
  }
  close(ends[1]);
  double drained = now();
  int status;
  waitpid(child, &status, 0);
  double done = now();
  struct rusage used;
  getrusage(RUSAGE_CHILDREN, &used);
  FILE *out = fdopen(3, "w");
  if (!out) out = stdout;
  fprintf(out,
          "{\"bytes\":%zu,\"errno\":%d,\"status\":%d,\"drainSeconds\":%.4f,\"totalSeconds\":%.4f,"
          "\"cpuSeconds\":%.3f,\"rssMib\":%.1f,\"rssAnonMib\":%.1f}\n",
          at, error, WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status),
          drained - start, done - start, seconds(used.ru_utime) + seconds(used.ru_stime),
          used.ru_maxrss / 1024.0, peak / 1024.0);
  fclose(out);
  return 0;
}
