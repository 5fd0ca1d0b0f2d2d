/* See item_solutions.h. */
#include "item_solutions.h"

#define REAL double
#include "ridge.h"

void cirrus_add_sums(double *sums, const uint32_t *ids, size_t n, size_t width, const float *part) {
    for (size_t i = 0; i < n; i++, part += width) {
        double *sum = sums + ids[i] * width;
        for (size_t j = 0; j < width; j++)
            sum[j] += part[j];
    }
}

void cirrus_solve_items(size_t n_items, uint32_t unknowns, const double *sums, const double *ridge,
                        double *scratch, double *out) {
    const uint32_t padded = ridge_padded(unknowns);
    double *A = scratch, *z = A + (size_t)padded * padded;
    for (size_t item = 0; item < n_items; item++, out += unknowns) {
        ridge_clear(padded, A, z);
        for (uint32_t i = 0; i < unknowns; i++) {
            memcpy(A + (size_t)i * padded + i, sums, (unknowns - i) * sizeof *sums);
            sums += unknowns - i;
        }
        memcpy(z, sums, unknowns * sizeof *sums);
        sums += unknowns;
        if (ridge[item] > 0.0)
            ridge_solve(padded, unknowns, ridge[item], A, z);
        memcpy(out, z, unknowns * sizeof *out);
    }
}
