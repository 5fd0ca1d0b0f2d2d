/* One function, compiled for several processors: the wider registers are used where they are.
 *
 * Libraries are built for every processor of an architecture, on x86-64 for registers of 16 bytes.
 * Loops without a branch are faster in those of AVX2, and give the same bits: each lane is rounded
 * as it would be alone, and nothing is fused. Clang's cross-compilers lack what asks the processor.
 */
#ifndef CIRRUS_PROCESSOR_H
#define CIRRUS_PROCESSOR_H

/* A loop is made for each optimizer and processor: a call that the compiler leaves in it costs a
 * third. */
#if defined(__GNUC__) || defined(__clang__)
#define INLINE static inline __attribute__((always_inline))
#else
#define INLINE static inline
#endif

#if defined(__x86_64__) && defined(__GNUC__) && !defined(__clang__)
/* Defines `name` with these parameters; `body` must be INLINE, and so must be what it calls. */
#define FOR_EACH_PROCESSOR(name, body, parameters, arguments)                                     \
    static void name##_plain parameters { body arguments; }                                       \
    __attribute__((target("avx2"))) static void name##_avx2 parameters { body arguments; }        \
    static void name parameters {                                                                 \
        if (__builtin_cpu_supports("avx2"))                                                       \
            name##_avx2 arguments;                                                                \
        else                                                                                      \
            name##_plain arguments;                                                               \
    }
#else
#define FOR_EACH_PROCESSOR(name, body, parameters, arguments)                                     \
    static void name parameters { body arguments; }
#endif

#endif
