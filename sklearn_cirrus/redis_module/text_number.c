/* Numbers in text, whatever the locale: see text.h. */
#define _GNU_SOURCE /* strtod_l */
#include "text.h"

#include <locale.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#ifdef __APPLE__
#include <xlocale.h>
#endif

#define LONGEST 1100 /* no double needs more digits */
#define EXACT 22     /* powers of ten up to this are doubles */

static const double POWERS[EXACT + 1] = {1e0,  1e1,  1e2,  1e3,  1e4,  1e5,  1e6,  1e7,
                                         1e8,  1e9,  1e10, 1e11, 1e12, 1e13, 1e14, 1e15,
                                         1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22};

static int is_word(const uint8_t *text, size_t n, const char *word) {
    if (n != strlen(word))
        return 0;
    for (size_t i = 0; i < n; i++)
        if ((text[i] | 0x20) != (uint8_t)word[i])
            return 0;
    return 1;
}

/* inf, infinity and nan, with a sign or without. */
static int read_word(const uint8_t *text, size_t n, double *number) {
    const int is_negative = text[0] == '-';
    if (is_negative || text[0] == '+')
        text++, n--;
    if (is_word(text, n, "inf") || is_word(text, n, "infinity"))
        *number = is_negative ? -INFINITY : INFINITY;
    else if (is_word(text, n, "nan"))
        *number = NAN;
    else
        return 0;
    return 1;
}

/* A number that is checked already, correctly rounded by the C library. */
static int read_slowly(const uint8_t *text, size_t n, double *number) {
    static locale_t plain; /* made at most once by each thread that comes here first: see below */
    char copy[LONGEST + 1], *end;
    if (n > LONGEST)
        return 0;
    memcpy(copy, text, n);
    copy[n] = 0;
    locale_t used = __atomic_load_n(&plain, __ATOMIC_ACQUIRE);
    if (!used) {
        locale_t none = 0, made = newlocale(LC_ALL_MASK, "C", (locale_t)0);
        if (!made)
            return 0;
        used = made;
        if (!__atomic_compare_exchange_n(&plain, &none, made, 0, __ATOMIC_ACQ_REL,
                                         __ATOMIC_ACQUIRE)) {
            freelocale(made); /* another thread was quicker */
            used = none;
        }
    }
    *number = strtod_l(copy, &end, used);
    return end == copy + n;
}

int cirrus_text_number(const uint8_t *text, size_t n, double *number) {
    while (n && (*text == ' ' || *text == '\t'))
        text++, n--;
    while (n && (text[n - 1] == ' ' || text[n - 1] == '\t'))
        n--;
    size_t i = 0;
    if (i < n && (text[i] == '-' || text[i] == '+'))
        i++;
    uint64_t digits = 0;
    int significant = 0, seen = 0, exponent = 0;
    for (; i < n && (uint8_t)(text[i] - '0') < 10; i++, seen = 1)
        if (significant < 19) {
            digits = 10 * digits + (text[i] - '0');
            significant += digits != 0;
        } else {
            exponent++;
        }
    if (i < n && text[i] == '.')
        for (i++; i < n && (uint8_t)(text[i] - '0') < 10; i++, seen = 1)
            if (significant < 19) {
                digits = 10 * digits + (text[i] - '0');
                significant += digits != 0;
                exponent--;
            }
    if (!seen)
        return n > 0 && read_word(text, n, number);
    int is_exact = significant < 19;
    if (i < n && (text[i] | 0x20) == 'e') {
        int power = 0, is_negative = 0;
        if (++i < n && (text[i] == '-' || text[i] == '+'))
            is_negative = text[i++] == '-';
        if (i == n)
            return 0;
        for (; i < n && (uint8_t)(text[i] - '0') < 10; i++)
            if (power < 100000)
                power = 10 * power + (text[i] - '0');
        exponent += is_negative ? -power : power;
    }
    if (i < n)
        return 0;
    if (!is_exact || digits >> 53 || exponent > EXACT || exponent < -EXACT)
        return read_slowly(text, n, number);
    /* Both are doubles, so that one operation rounds once (Clinger 1990). */
    const double size = exponent < 0 ? (double)digits / POWERS[-exponent]
                                     : (double)digits * POWERS[exponent];
    *number = text[0] == '-' ? -size : size;
    return 1;
}
