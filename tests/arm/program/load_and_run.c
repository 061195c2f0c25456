/* A stand-in for load_and_run on real processors: its command line and log lines, real threads and real work.
 *
 * It has no model: an iteration computes OUTPUTS values, WORK steps each (environment, 20000), on as many threads as
 * `--multithread` says. `--enable_nchw44` does with 70 % of the steps what it does without. MEMORY_MIB (environment)
 * is allocated and touched before the model is loaded. flags.h is made from the recorded `--help` of the real one. */
#define _GNU_SOURCE
#include <errno.h>
#include <math.h>
#include <pthread.h>
#include <sched.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "flags.h" /* HELP; FLAGS: {"name", "type"}; FLAG_COUNT */
#include "work.h"

enum { OUTPUTS = 8, MAX_THREADS = 64, DIMENSIONS = 7, VARIABLE = 81 };

static const char *values[FLAG_COUNT];
static int threads = 1, cores[MAX_THREADS], core_count;
static long steps;
static float outputs[OUTPUTS];
static pthread_barrier_t begun, done;

static void say(const char *where, const char *format, ...) {
    char line[512], now[32];
    time_t seconds = time(NULL);
    strftime(now, sizeof now, "%d %H:%M:%S", localtime(&seconds));
    va_list words;
    va_start(words, format);
    vsnprintf(line, sizeof line, format, words);
    va_end(words);
    fprintf(stderr, "[%s %s] %s\n", now, where, line);
}

static void failed(const char *format, ...) {
    va_list words;
    va_start(words, format);
    fprintf(stderr, "terminate called after throwing an instance of 'mgb::AssertionError'\n"
                    "  what():  assertion `false' failed at load_and_run.c:1: run\nextra message: ");
    vfprintf(stderr, format, words);
    fprintf(stderr, "\n\n");
    va_end(words);
    abort();
}

static double now_ms(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * 1e3 + now.tv_nsec / 1e6;
}

static int flag(const char *name, size_t length) {
    for (int i = 0; i < FLAG_COUNT; i++) {
        size_t at = 0;
        while (at < length && FLAGS[i].name[at] == (name[at] == '-' ? '_' : name[at]))
            at++;
        if (at == length && FLAGS[i].name[at] == 0)
            return i;
    }
    return -1;
}

static const char *value(const char *name) {
    int found = flag(name, strlen(name));
    return found < 0 ? NULL : values[found];
}

static bool on(const char *name) {
    const char *text = value(name);
    return text != NULL && strcmp(text, "false") != 0;
}

static int number(const char *name, int otherwise) {
    const char *text = value(name);
    return text == NULL ? otherwise : atoi(text);
}

static void mistake(const char *format, const char *name) {
    fprintf(stderr, "ERROR: ");
    fprintf(stderr, format, name);
    fprintf(stderr, "\n");
    exit(1);
}

/* The model, or NULL; all other words are flags, as gflags reads them. */
static const char *read_words(int count, char **words) {
    const char *model = NULL;
    for (int i = 1; i < count; i++) {
        const char *word = words[i];
        if (word[0] != '-') {
            model = model ? model : word;
            continue;
        }
        const char *name = word + 1 + (word[1] == '-'), *equals = strchr(name, '=');
        int found = flag(name, equals ? (size_t)(equals - name) : strlen(name));
        if (found < 0)
            mistake("unknown command line flag '%s'", name);
        if (equals)
            values[found] = equals + 1;
        else if (strcmp(FLAGS[found].type, "bool") == 0)
            values[found] = "true";
        else if (i + 1 < count)
            values[found] = words[++i];
        else
            mistake("flag '%s' is missing its argument", word);
    }
    return model;
}

static void read_cores(const char *text) {
    while (text && *text && core_count < MAX_THREADS) {
        char *rest;
        cores[core_count++] = (int)strtol(text, &rest, 10);
        text = *rest == ',' ? rest + 1 : NULL;
    }
    if (core_count && core_count != threads)
        failed("core ids: %d given for %d threads", core_count, threads);
}

static void bind_to(int thread) {
    cpu_set_t set;
    if (!core_count)
        return;
    CPU_ZERO(&set);
    CPU_SET(cores[thread], &set);
    if (sched_setaffinity(0, sizeof set, &set) != 0)
        failed("cannot bind a thread to core %d: %s", cores[thread], strerror(errno));
}

static void compute(int thread) {
    for (int i = thread; i < OUTPUTS; i += threads)
        outputs[i] = work((float)i, steps);
}

static void *help_along(void *thread) {
    bind_to((int)(intptr_t)thread);
    for (;;) {
        pthread_barrier_wait(&begun);
        compute((int)(intptr_t)thread);
        pthread_barrier_wait(&done);
    }
    return NULL;
}

static void start_threads(void) {
    pthread_t one;
    pthread_barrier_init(&begun, NULL, (unsigned)threads);
    pthread_barrier_init(&done, NULL, (unsigned)threads);
    for (int i = 1; i < threads; i++)
        if (pthread_create(&one, NULL, help_along, (void *)(intptr_t)i) != 0)
            failed("cannot start a thread");
    bind_to(0);
}

static FILE *opened(const char *path) {
    FILE *file = fopen(path, "wb");
    if (file == NULL)
        failed("failed to open %s: %s", path, strerror(errno));
    return file;
}

static void closed(FILE *file, const char *path) {
    bool whole = !ferror(file);
    if (fclose(file) != 0 || !whole)
        failed("failed to write %s: %s", path, strerror(errno));
}

static void dump_tensor(const char *path) {
    const char *name = "var={id:81, layout:{8}, Float32, owner:out{Computed}, name:out, slot:0, cpu0:0, s, 4, 1}";
    uint32_t head[3 + DIMENSIONS] = {(uint32_t)strlen(name), 0, DIMENSIONS, OUTPUTS};
    FILE *file = opened(path);
    fwrite(head, sizeof head, 1, file);
    fwrite(name, strlen(name), 1, file);
    fwrite(outputs, sizeof outputs, 1, file);
    closed(file, path);
}

static void dump_text(FILE *file) {
    fprintf(file, "var81 produced: name=out layout={8 Float32} owner_opr=out{Computed} opr80\n deps:\n val: [");
    for (int i = 0; i < 5; i++)
        fprintf(file, "%.4g%s", outputs[i], i < 4 ? ", " : "]");
    fprintf(file, "min=%.3g max=%.3g mean=0 l2=0 sd=0 s\n", outputs[0], outputs[OUTPUTS - 1]);
}

static void write_profile(const char *path, double last_ms) {
    FILE *file = opened(path);
    fprintf(file, "{\"profiler\": {\"opr_internal_pf\": {}, \"host\": {\"1\": {\"host\": {\"start\": 0, \"kern\": 0, \"end\": %.9f}}},"
                  " \"device\": {\"1\": {\"cpu0:0\": {\"start\": 0, \"kern\": 0, \"end\": %.9f}}}},"
                  " \"graph_exec\": {\"operator\": {\"1\": {\"name\": \"all\", \"type\": \"Computed\", \"input\": [],"
                  " \"output\": []}}, \"comp_seq\": [\"1\"], \"var\": {}}}",
            last_ms / 1e3, last_ms / 1e3);
    closed(file, path);
}

static void write_files(int runs, double last_ms) {
    char path[4096];
    for (int run = 0; value("bin_out_dump") && run < runs; run++) {
        snprintf(path, sizeof path, "%s/run%d-var%d", value("bin_out_dump"), run, VARIABLE);
        dump_tensor(path);
    }
    if (value("bin_io_dump")) {
        snprintf(path, sizeof path, "%s/%06x", value("bin_io_dump"), VARIABLE);
        dump_tensor(path);
    }
    if (value("io_dump")) {
        FILE *file = opened(value("io_dump"));
        dump_text(file);
        closed(file, value("io_dump"));
    }
    if (on("io_dump_stdout"))
        dump_text(stdout);
    if (on("io_dump_stderr"))
        dump_text(stderr);
    for (int i = 0; i < 2; i++)
        if (value(i ? "profile_host" : "profile"))
            write_profile(value(i ? "profile_host" : "profile"), last_ms);
    if (value("fast_run_algo_policy")) {
        FILE *file = opened(value("fast_run_algo_policy"));
        fwrite("\0\0\0\0", 4, 1, file); /* no categories */
        closed(file, value("fast_run_algo_policy"));
    }
}

static double iterate(void) {
    double began_ms = now_ms();
    if (threads > 1)
        pthread_barrier_wait(&begun);
    compute(0);
    if (threads > 1)
        pthread_barrier_wait(&done);
    return now_ms() - began_ms;
}

static void load(const char *path) {
    double began_ms = now_ms();
    FILE *file = fopen(path, "rb");
    if (file == NULL)
        failed("failed to open %s: %s", path, strerror(errno));
    char block[4096];
    while (fread(block, 1, sizeof block, file) > 0)
        ;
    fclose(file);
    const char *mib = getenv("MEMORY_MIB"), *count = getenv("WORK");
    for (long left = mib ? atol(mib) : 0; left > 0; left--) { /* in pieces: none of them is refused */
        volatile char *memory = malloc(1 << 20);
        if (memory == NULL)
            failed("out of memory");
        for (size_t at = 0; at < 1 << 20; at += 4096)
            memory[at] = 1;
    }
    steps = count ? atol(count) : 20000;
    if (on("enable_nchw44"))
        steps = steps * 7 / 10;
    say("run_subline@strategy_normal.cpp:51", "load model: %.3fms\n", now_ms() - began_ms);
}

/* Times as they are printed, so that the sum is theirs. */
static double rounded(double ms) { return round(ms * 1e3) / 1e3; }

static void measure(int warmups, int iterations) {
    double total_ms = 0, squares = 0, least_ms = INFINITY, most_ms = 0, last_ms = 0;
    say("run_subline@strategy_normal.cpp:116", "run testcase: 0 ");
    for (int i = 0; i < warmups; i++) {
        say("operator()@strategy_normal.cpp:67", "=== prepare: 1.000ms; going to warmup");
        say("operator()@strategy_normal.cpp:70", "warm up %d  %.3fms", i, iterate());
    }
    for (int i = 0; i < iterations; i++) {
        last_ms = rounded(iterate());
        say("operator()@strategy_normal.cpp:88", "iter %d/%d: e2e=%.3f ms (host=%.3f ms)", i, iterations, last_ms, last_ms);
        total_ms += last_ms;
        squares += last_ms * last_ms;
        least_ms = fmin(least_ms, last_ms);
        most_ms = fmax(most_ms, last_ms);
    }
    write_files(warmups + iterations, last_ms);
    double mean_ms = total_ms / iterations, variance = squares / iterations - mean_ms * mean_ms;
    if (iterations > 0)
        say("operator()@strategy_normal.cpp:97",
            "=== finished test #0: time=%.3f ms avg_time=%.3f ms standard_deviation=%.3f ms min=%.3f ms max=%.3f ms",
            total_ms, mean_ms, sqrt(fmax(variance, 0)), least_ms, most_ms);
    say("run_subline@strategy_normal.cpp:129", "=== total time: %.3fms\n", total_ms);
}

int main(int count, char **words) {
    const char *model = read_words(count, words);
    if (on("help")) {
        fputs(HELP, stdout);
        return 1;
    }
    if (on("version")) {
        puts("load_and_run version 1.0");
        return 0;
    }
    if (model == NULL) {
        puts("usage: \nload_and_run: load_and_run <model_path> [options Flags...]");
        return 255;
    }
    say("run@strategy_normal.cpp:138", "megbrain/lite/load_and_run:");
    fprintf(stderr, "using MegBrain 1.13.0(0) and MegDNN 9.3.0\n\n");
    say("ModelMdl@model_mdl.cpp:10", "creat %s", on("lite") ? "lite model" : "mdl model use XPU as default comp node");
    threads = number("multithread", number("multithread_default", 1));
    if (threads < 1 || threads > MAX_THREADS)
        failed("bad number of threads: %d", threads);
    read_cores(value("multi_thread_core_ids"));
    load(model);
    start_threads();
    measure(number("warmup_iter", 1), number("iter", 10));
    fflush(NULL);
    _Exit(0); /* the other threads wait for a next iteration for ever */
}
