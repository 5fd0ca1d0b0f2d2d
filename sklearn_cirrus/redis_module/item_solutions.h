/* The items of alternating least squares, from the sums of all blocks, in float64: pure arithmetic.
 *
 * A row of sums is what cirrus_als_items of normal_equations.h gives for an item: the upper
 * triangle of its matrix, row by row, and the right side.
 */
#ifndef CIRRUS_ITEM_SOLUTIONS_H
#define CIRRUS_ITEM_SOLUTIONS_H

#include <stddef.h>
#include <stdint.h>

/* Adds the rows of a block to the sums of its items: width values a row, ids each once. */
void cirrus_add_sums(double *sums, const uint32_t *ids, size_t n, size_t width, const float *part);

/* Solves every item of ridge > 0; those of ridge 0 have no ratings and get zeros. out: n_items x
 * unknowns; scratch: padded * (padded + 1), where padded is unknowns rounded up to a multiple of
 * four. */
void cirrus_solve_items(size_t n_items, uint32_t unknowns, const double *sums, const double *ridge,
                        double *scratch, double *out);

#endif
