/* Loaded before the C library: while the file named by FAILING_DISK holds an error number, every
 * write to an existing file beside it fails with that error, as on a disk that is full (ENOSPC) or
 * was made read-only under a running program (EROFS). */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>
#include <unistd.h>

static int failure_for(int fd) {
  const char *control = getenv("FAILING_DISK");
  if (!control) return 0;
  char link[64], path[4096];
  snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
  ssize_t n = readlink(link, path, sizeof path - 1);
  if (n < 0) return 0;
  path[n] = 0;
  /* Only the database and its log, which SQLite names after it. */
  if (!strstr(path, ".db")) return 0;
  int (*real_open)(const char *, int, ...) = dlsym(RTLD_NEXT, "open");
  int wanted = real_open(control, O_RDONLY | O_CLOEXEC);
  if (wanted < 0) return 0;
  char text[16] = {0};
  ssize_t (*real_read)(int, void *, size_t) = dlsym(RTLD_NEXT, "read");
  real_read(wanted, text, sizeof text - 1);
  close(wanted);
  return atoi(text);
}

/* To cut a file asks for no space. */
#define CUT_FAILS(fd)                          \
  int failure = failure_for(fd);               \
  if (failure && failure != ENOSPC) {          \
    errno = failure;                           \
    return -1;                                 \
  }

#define FAILS(fd)                  \
  int failure = failure_for(fd);   \
  if (failure) {                   \
    errno = failure;               \
    return -1;                     \
  }

ssize_t write(int fd, const void *data, size_t size) {
  FAILS(fd)
  ssize_t (*real)(int, const void *, size_t) = dlsym(RTLD_NEXT, "write");
  return real(fd, data, size);
}

ssize_t pwrite(int fd, const void *data, size_t size, off_t at) {
  FAILS(fd)
  ssize_t (*real)(int, const void *, size_t, off_t) = dlsym(RTLD_NEXT, "pwrite");
  return real(fd, data, size, at);
}

ssize_t pwrite64(int fd, const void *data, size_t size, off64_t at) {
  FAILS(fd)
  ssize_t (*real)(int, const void *, size_t, off64_t) = dlsym(RTLD_NEXT, "pwrite64");
  return real(fd, data, size, at);
}

int ftruncate(int fd, off_t size) {
  CUT_FAILS(fd)
  int (*real)(int, off_t) = dlsym(RTLD_NEXT, "ftruncate");
  return real(fd, size);
}

int ftruncate64(int fd, off64_t size) {
  CUT_FAILS(fd)
  int (*real)(int, off64_t) = dlsym(RTLD_NEXT, "ftruncate64");
  return real(fd, size);
}
