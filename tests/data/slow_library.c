/* Makes every inference of the wheel runtime slower by a known time: a build for tests, loaded with LD_PRELOAD.

   The wheel's program looks the two calls of an inference up with dlsym: LITE_forward, then LITE_wait. It is given
   ours, which call the real ones; the second one then keeps the core busy for SLOW_NS nanoseconds and SLOW_FRACTION of
   the time since the first began. Both are constants of the library, because a build differs by its files alone.
   (Calls within MegEngine's libraries cannot be used: they go through virtual tables, or their number depends on the
   model.)

   cc -shared -fPIC -O2 -DSLOW_NS=50000 -DSLOW_FRACTION=0.0 -o slow.so slow_library.c -ldl
*/
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stddef.h>
#include <string.h>
#include <time.h>

typedef void *(*Lookup)(void *, const char *);
typedef int (*Call)(void *);

static Lookup real_dlsym;
static Call real_forward, real_wait;
static __thread long long began_ns; /* an inference is one thread's */

static long long now_ns(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return now.tv_sec * 1000000000LL + now.tv_nsec;
}

static int forward(void *network) {
  began_ns = now_ns();
  return real_forward(network);
}

static int wait_slowly(void *network) {
  int result = real_wait(network);
  long long now = now_ns(), until = now + (long long)(SLOW_NS + SLOW_FRACTION * (now - began_ns));
  while (now_ns() < until) {
  }
  return result;
}

static Lookup find_dlsym(void) {
  static const char *const versions[] = {"GLIBC_2.34", "GLIBC_2.2.5", "GLIBC_2.17"};
  for (size_t i = 0; i < sizeof versions / sizeof *versions; i++) {
    void *found = dlvsym(RTLD_NEXT, "dlsym", versions[i]);
    if (found != NULL)
      return (Lookup)found;
  }
  return NULL;
}

/* A tail call where nothing is replaced: RTLD_NEXT depends on who calls. */
void *dlsym(void *handle, const char *name) {
  if (real_dlsym == NULL && (real_dlsym = find_dlsym()) == NULL)
    return NULL;
  if (name != NULL && strcmp(name, "LITE_forward") == 0) {
    real_forward = (Call)real_dlsym(handle, name);
    return real_forward == NULL ? NULL : (void *)forward;
  }
  if (name != NULL && strcmp(name, "LITE_wait") == 0) {
    real_wait = (Call)real_dlsym(handle, name);
    return real_wait == NULL ? NULL : (void *)wait_slowly;
  }
  return real_dlsym(handle, name);
}
