/* See factorization.h. */
#include "factorization.h"

#include "user_rows.h"

#define REAL float
#include "ridge.h"

#if defined(__GNUC__) || defined(__clang__)
#define ALWAYS_INLINE inline __attribute__((always_inline))
#else
#define ALWAYS_INLINE inline
#endif

/* Lays out the items of a minibatch: padded rows, and what of a prediction is theirs alone. */
static ALWAYS_INLINE void lay_out(const cirrus_factors *f, uint32_t p, const float *model,
                                  uint32_t n_ids) {
    const uint32_t k = f->rank;
    memset(f->table, 0, (size_t)n_ids * p * sizeof *f->table);
    for (uint32_t i = 0; i < n_ids; i++) {
        float *row = f->table + (size_t)i * p;
        memcpy(row, model + (size_t)i * f->stride, k * sizeof *row);
        f->offsets[i] = f->mean;
        if (f->biased) {
            row[k] = 1.0f;
            f->offsets[i] += model[(size_t)i * f->stride + k];
        }
    }
}

/* Leaves the user's vector in f->user and its targets in f->targets; returns its weight. */
static ALWAYS_INLINE double solve_user(const cirrus_factors *f, uint32_t p, user_row row) {
    const double weight = weight_of(row);
    for (size_t t = 0; t < row.n; t++)
        f->targets[t] = row.ratings[t] - f->offsets[row.local[t]];
    ridge_clear(p, f->normal, f->user);
    if (weight > 0.0) {
        ridge_add(p, row.n, f->table, row.local, row.weights, f->targets, f->normal, f->user);
        ridge_solve(p, f->rank + f->biased, (float)(f->alpha * weight), f->normal, f->user);
    }
    return weight;
}

static ALWAYS_INLINE float dot(uint32_t p, const float *a, const float *b) {
    lanes sum = {0}, left, right;
    for (uint32_t j = 0; j < p; j += LANES) {
        memcpy(&left, a + j, sizeof left);
        memcpy(&right, b + j, sizeof right);
        sum += left * right;
    }
    return (sum[0] + sum[1]) + (sum[2] + sum[3]);
}

/* The user's part of loss, penalty and slopes. */
static ALWAYS_INLINE double descend(const cirrus_factors *f, uint32_t p, user_row row,
                                    double weight, double *penalty) {
    float *user = f->user, *errors = f->targets;
    *penalty += weight * dot(p, user, user);
    for (size_t t = 0; t < row.n; t++)
        errors[t] = dot(p, f->table + (size_t)row.local[t] * p, user) - errors[t];
    if (f->biased)
        user[f->rank] = 1.0f; /* the slope of a prediction in b_i */
    double loss = 0.0;
    for (size_t t = 0; t < row.n; t++) {
        const float w = row.weights ? row.weights[t] : 1.0f, slope = w * errors[t];
        float *sums = f->slopes + (size_t)row.local[t] * p;
        loss += slope * errors[t];
        f->touches[row.local[t]] += w;
        for (uint32_t j = 0; j < p; j += LANES) {
            lanes old, step;
            memcpy(&old, sums + j, sizeof old);
            memcpy(&step, user + j, sizeof step);
            old += slope * step;
            memcpy(sums + j, &old, sizeof old);
        }
    }
    return loss;
}

/* The sum of w (rating - prediction)^2 over ratings of the user that was solved last. */
static ALWAYS_INLINE double score(const cirrus_factors *f, uint32_t p, user_row hidden) {
    double loss = 0.0;
    for (size_t t = 0; t < hidden.n; t++) {
        const uint32_t item = hidden.local[t];
        const float error = hidden.ratings[t] - f->offsets[item] -
                            dot(p, f->table + (size_t)item * p, f->user);
        loss += (double)(hidden.weights ? hidden.weights[t] : 1.0f) * error * error;
    }
    return loss;
}

static ALWAYS_INLINE double factorize(const cirrus_pass *pass, const cirrus_factors *f, uint32_t p,
                                      size_t first, size_t last, const float *model, uint32_t n_ids,
                                      float factor, float *grad, double *penalty) {
    const uint32_t width = f->rank + f->biased, *local = pass->local;
    double loss = 0.0, norms = 0.0;
    lay_out(f, p, model, n_ids);
    memset(f->slopes, 0, (size_t)n_ids * p * sizeof *f->slopes);
    memset(f->touches, 0, n_ids * sizeof *f->touches);
    for (size_t i = first; i < last; i++) {
        const user_row row = row_of(pass, f->weights, i, local);
        const double weight = solve_user(f, p, row);
        local += row.n;
        if (f->held) {
            user_row hidden = row_of(pass, f->weights, ++i, local);
            local += hidden.n;
            hidden.weights = NULL;
            *f->held += score(f, p, hidden);
        }
        loss += descend(f, p, row, weight, &norms);
    }
    for (uint32_t i = 0; i < n_ids; i++) {
        const float *item = model + (size_t)i * f->stride, *sums = f->slopes + (size_t)i * p;
        const float pull = f->alpha * f->touches[i];
        float *g = grad + (size_t)i * f->stride, square = 0.0f;
        for (uint32_t j = 0; j < width; j++) {
            square += item[j] * item[j];
            g[j] = 2.0f * factor * (sums[j] + pull * item[j]);
        }
        norms += (double)f->touches[i] * square;
    }
    *penalty += f->alpha * norms;
    return loss;
}

double cirrus_factorize(const cirrus_pass *pass, const cirrus_factors *f, size_t first, size_t last,
                        const float *model, uint32_t n_ids, float factor, float *grad,
                        double *penalty) {
    switch (f->padded) { /* the usual ranks with loops of known length */
    case 4:
        return factorize(pass, f, 4, first, last, model, n_ids, factor, grad, penalty);
    case 8:
        return factorize(pass, f, 8, first, last, model, n_ids, factor, grad, penalty);
    case 12:
        return factorize(pass, f, 12, first, last, model, n_ids, factor, grad, penalty);
    default:
        return factorize(pass, f, f->padded, first, last, model, n_ids, factor, grad, penalty);
    }
}

double cirrus_score_held_out(const cirrus_pass *pass, const cirrus_factors *f, size_t first,
                             size_t last, const float *model, uint32_t n_ids) {
    const uint32_t p = f->padded, *local = pass->local;
    double loss = 0.0;
    lay_out(f, p, model, n_ids);
    for (size_t i = first; i + 1 < last; i += 2) {
        const user_row known = row_of(pass, f->weights, i, local);
        const user_row hidden = row_of(pass, f->weights, i + 1, local + known.n);
        solve_user(f, p, known);
        loss += score(f, p, hidden);
        local += known.n + hidden.n;
    }
    return loss;
}
