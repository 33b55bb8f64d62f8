// Runs a program under a pid of our choosing, as process 1 of a pid namespace of its own, once that
// pid is free: as the kernel gives it when its counter has come round.
//
//   reuse pid program [argument ...]
#define _GNU_SOURCE
#include <errno.h>
#include <linux/sched.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

int main(int count, char **arguments) {
  if (count < 3) return 2;
  pid_t wanted[] = {1, atoi(arguments[1])};
  struct clone_args how = {
      .flags = CLONE_NEWPID,
      .exit_signal = SIGCHLD,
      .set_tid = (uintptr_t)wanted,
      .set_tid_size = 2,
  };
  long child;
  for (int tries = 0; (child = syscall(SYS_clone3, &how, sizeof how)) < 0; tries++) {
    if (errno != EEXIST || tries == 5000) return perror("clone3"), 1;
    usleep(1000);
  }
  if (!child) {
    execv(arguments[2], arguments + 2);
    return perror("execv"), 127;
  }
  waitpid(child, 0, 0);
  return 0;
}
