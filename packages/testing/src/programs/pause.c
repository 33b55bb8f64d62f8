// The sandbox process of a pod: reaps orphans, ends on SIGTERM, crashes on SIGUSR1.
#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

static void leave(int signal_number) {
  (void)signal_number;
  _exit(0);
}

static void reap(int signal_number) {
  (void)signal_number;
  while (waitpid(-1, 0, WNOHANG) > 0) {
  }
}

// a handler of its own: process 1 of a namespace is not ended by a signal that it left as it was
static void crash_here(int signal_number) {
  *(volatile int *)8 = signal_number;
}

int main(void) {
  signal(SIGTERM, leave);
  signal(SIGINT, leave);
  signal(SIGCHLD, reap);
  signal(SIGUSR1, crash_here);
  for (;;) pause();
}
