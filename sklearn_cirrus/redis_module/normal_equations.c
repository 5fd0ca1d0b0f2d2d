/* See normal_equations.h. */
#include "normal_equations.h"

#define REAL float
#include "ridge.h"

#define CHUNK 256 /* ratings whose targets are laid out together */

static inline uint32_t row_of(const cirrus_als_block *b, uint32_t user) {
    return user << b->held_out;
}

void cirrus_als_index(const cirrus_als_block *b) {
    uint32_t *starts = b->starts;
    memset(starts, 0, ((size_t)b->n_items + 1) * sizeof *starts);
    for (uint32_t user = 0; user < b->n_users; user++)
        for (uint32_t row = row_of(b, user), k = b->indptr[row]; k < b->indptr[row + 1]; k++)
            starts[b->local[k] + 1]++;
    for (uint32_t i = 0; i < b->n_items; i++)
        starts[i + 1] += starts[i];
    for (uint32_t user = 0; user < b->n_users; user++)
        for (uint32_t row = row_of(b, user), k = b->indptr[row]; k < b->indptr[row + 1]; k++) {
            const uint32_t place = starts[b->local[k]]++;
            b->users[place] = user;
            b->item_ratings[place] = b->ratings[k];
            if (b->item_weights)
                b->item_weights[place] = b->weights[k];
        }
    /* Each start has run to its end, which is the next one's start. */
    memmove(starts + 1, starts, b->n_items * sizeof *starts);
    starts[0] = 0;
}

/* What n ratings are to be fitted to by the side of `table`; the other side's biases stay in. */
static inline void targets_of(const cirrus_als_block *b, uint32_t n, const float *ratings,
                              const uint32_t *others, const float *bias, float *targets) {
    for (uint32_t t = 0; t < n; t++)
        targets[t] = ratings[t] - b->mean;
    for (uint32_t t = 0; bias && t < n; t++)
        targets[t] -= bias[others[t]];
}

static inline const float *from(const float *array, size_t first) {
    return array ? array + first : NULL;
}

/* Adds the normal equations of ratings first .. last - 1 of one vector. */
static void accumulate(const cirrus_als_block *b, uint32_t first, uint32_t last,
                       const float *ratings, const float *weights, const uint32_t *others,
                       const float *table, const float *bias, float *A, float *rhs) {
    float targets[CHUNK];
    ridge_clear(b->padded, A, rhs);
    for (uint32_t k = first; k < last; k += CHUNK) {
        const uint32_t n = last - k < CHUNK ? last - k : CHUNK;
        targets_of(b, n, ratings + k, others + k, bias, targets);
        ridge_add(b->padded, n, table, others + k, from(weights, k), targets, A, rhs);
    }
}

/* Weighted sum of the squared errors of ratings first .. last - 1 at a user's vector. */
static double squared_errors(const cirrus_als_block *b, uint32_t first, uint32_t last,
                             const float *z) {
    float targets[CHUNK];
    double sum = 0.0;
    for (uint32_t k = first; k < last; k += CHUNK) {
        const uint32_t n = last - k < CHUNK ? last - k : CHUNK;
        float part = 0.0f;
        targets_of(b, n, b->ratings + k, b->local + k, b->item_bias, targets);
        for (uint32_t t = 0; t < n; t++) {
            const float *x = b->item_table + (size_t)b->local[k + t] * b->padded;
            float lanes[LANES] = {0};
            for (uint32_t j = 0; j < b->padded; j += LANES)
                for (uint32_t lane = 0; lane < LANES; lane++)
                    lanes[lane] += z[j + lane] * x[j + lane];
            const float error = targets[t] - ((lanes[0] + lanes[1]) + (lanes[2] + lanes[3]));
            part += (b->weights ? b->weights[k + t] : 1.0f) * (error * error);
        }
        sum += part;
    }
    return sum;
}

static double weight_of(const cirrus_als_block *b, uint32_t first, uint32_t last) {
    double sum = 0.0;
    if (!b->weights)
        return last - first;
    for (uint32_t k = first; k < last; k++)
        sum += b->weights[k];
    return sum;
}

void cirrus_als_users(const cirrus_als_block *b, uint32_t first, uint32_t last,
                      cirrus_als_sums *sums) {
    float *A = b->scratch, *z = A + (size_t)b->padded * b->padded;
    for (uint32_t user = first; user < last; user++) {
        const uint32_t row = row_of(b, user), begin = b->indptr[row], end = b->indptr[row + 1];
        const double weight = weight_of(b, begin, end);
        double square = 0.0;
        if (weight > 0.0) {
            accumulate(b, begin, end, b->ratings, b->weights, b->local, b->item_table,
                       b->item_bias, A, z);
            ridge_solve(b->padded, b->unknowns, (float)(b->alpha * weight), A, z);
        } else {
            memset(z, 0, b->padded * sizeof *z);
        }
        sums->loss += squared_errors(b, begin, end, z);
        sums->weight += weight;
        for (uint32_t j = 0; j < b->unknowns; j++)
            square += (double)z[j] * z[j];
        sums->penalty += b->alpha * weight * square;
        if (b->held_out) {
            sums->held_loss += squared_errors(b, end, b->indptr[row + 2], z);
            sums->held_weight += weight_of(b, end, b->indptr[row + 2]);
        }
        if (b->user_bias) {
            b->user_bias[user] = z[b->unknowns - 1];
            z[b->unknowns - 1] = 1.0f;
        }
        memcpy(b->user_table + (size_t)user * b->padded, z, b->padded * sizeof *z);
    }
}

void cirrus_als_items(const cirrus_als_block *b, uint32_t first, uint32_t last, float *out) {
    float *A = b->scratch, *rhs = A + (size_t)b->padded * b->padded;
    for (uint32_t item = first; item < last; item++) {
        accumulate(b, b->starts[item], b->starts[item + 1], b->item_ratings, b->item_weights,
                   b->users, b->user_table, b->user_bias, A, rhs);
        for (uint32_t i = 0; i < b->unknowns; i++) {
            const uint32_t n = b->unknowns - i;
            memcpy(out, A + (size_t)i * b->padded + i, n * sizeof *out);
            out += n;
        }
        memcpy(out, rhs, b->unknowns * sizeof *out);
        out += b->unknowns;
    }
}
