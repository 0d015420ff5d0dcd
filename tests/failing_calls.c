/* Preloaded into a process, makes the n-th of the calls that a save consists of fail, and lists those it saw.

   Built by test_file_failures.py: cc -shared -fPIC -o failing_calls.so failing_calls.c -ldl */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <unistd.h>

static int armed, countdown, error_number;
static char seen[1 << 16];

/* From now on: the n-th call fails with this errno; where that is 0, a write takes half of what it is given. */
void failing_arm(int n, int error) {
  seen[0] = 0;
  countdown = n;
  error_number = error;
  armed = 1;
}

/* No more; returns whether a call failed. */
int failing_disarm(void) {
  armed = 0;
  return countdown <= 0;
}

/* The calls since failing_arm, one a line. */
const char* failing_seen(void) { return seen; }

static int is_folder(int fd) {
  struct stat status;
  return fstat(fd, &status) == 0 && S_ISDIR(status.st_mode);
}

static int hit(const char* name, const char* what) {
  if (!armed) return 0;
  size_t length = strlen(seen);
  snprintf(seen + length, sizeof seen - length, "%s%s\n", name, what);
  return --countdown == 0;
}

#define NEXT(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))
#define FAIL_IF_HIT(name, what)                  \
  if (hit(name, what)) {                         \
    errno = error_number ? error_number : EINTR; \
    return -1;                                   \
  }

ssize_t write(int fd, const void* data, size_t size) {
  if (hit("write", "")) {
    if (error_number == 0) return NEXT(write)(fd, data, size / 2 + 1);
    errno = error_number;
    return -1;
  }
  return NEXT(write)(fd, data, size);
}

ssize_t writev(int fd, const struct iovec* parts, int count) {
  FAIL_IF_HIT("writev", "")
  return NEXT(writev)(fd, parts, count);
}

ssize_t pwrite64(int fd, const void* data, size_t size, off64_t at) {
  FAIL_IF_HIT("pwrite", "")
  return NEXT(pwrite64)(fd, data, size, at);
}

int fsync(int fd) {
  FAIL_IF_HIT("fsync", is_folder(fd) ? " folder" : "")
  return NEXT(fsync)(fd);
}

int fdatasync(int fd) {
  FAIL_IF_HIT("fdatasync", "")
  return NEXT(fdatasync)(fd);
}

int rename(const char* from, const char* to) {
  FAIL_IF_HIT("rename", "")
  return NEXT(rename)(from, to);
}

int renameat(int from_fd, const char* from, int to_fd, const char* to) {
  FAIL_IF_HIT("rename", "")
  return NEXT(renameat)(from_fd, from, to_fd, to);
}

int fchmod(int fd, mode_t mode) {
  FAIL_IF_HIT("fchmod", "")
  return NEXT(fchmod)(fd, mode);
}

int fchown(int fd, uid_t user, gid_t group) {
  FAIL_IF_HIT("fchown", "")
  return NEXT(fchown)(fd, user, group);
}

int ftruncate64(int fd, off64_t size) {
  FAIL_IF_HIT("ftruncate", "")
  return NEXT(ftruncate64)(fd, size);
}

int close(int fd) {
  int folder = is_folder(fd), bad = hit("close", folder ? " folder" : ""), result = NEXT(close)(fd);
  if (bad) errno = error_number ? error_number : EINTR;
  return bad ? -1 : result; /* the descriptor is gone in any case, as it is in Linux */
}

#define OPEN(name)                                       \
  int name(const char* path, int flags, ...) {           \
    va_list more;                                        \
    va_start(more, flags);                               \
    mode_t mode = va_arg(more, mode_t);                  \
    va_end(more);                                        \
    FAIL_IF_HIT("open", flags& O_CREAT ? "" : " folder") \
    return NEXT(name)(path, flags, mode);                \
  }
OPEN(open)
OPEN(open64)
