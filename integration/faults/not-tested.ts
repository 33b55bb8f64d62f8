/** What the matrix lacks, and why. */
export const NOT_TESTED: readonly string[] = [
  'A process that may write this node’s whole cgroup tree and moves itself into another container’s cgroup in every hierarchy (on version 2: in the only one): the kernel then says that it is there, and so do we. Who can do that is root on the node.',
  'Power loss. What is fsynced before the rename is tested by failing the calls, not by cutting the power.',
  'A disk that hangs inside a system call: neither signal nor time limit can end a composer there, it ends when the call does.',
  'The agent killed between the store’s answer to CreateMultipartUpload and its own record of it may leave an empty upload, which the lifecycle rules of the bucket end; the run of random kills has not shown one.',
  'A CSI or NFS volume as CORE_DIR; an SELinux host that forbids the composer: only the words of the kernel’s log are tested.',
  'CRI-O and docker as real runtimes: their cgroup paths and sockets are tested, containerd 1.6, 1.7 and 2 run.',
  'A pid that is used again within two seconds, where the kernel has no `%F`, by a process that dumps core with the same inner pid, user and group, the first having been killed while it dumped: start times alone do not tell them apart.',
]
