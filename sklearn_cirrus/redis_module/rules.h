/* The update rules, one coordinate at a time. See model.h for what they mean; sources:
 *   adagrad, its proximal step   Duchi, Hazan, Singer 2011, section 5; with power_t = 1
 *                                Mukkamala, Hein 2017, algorithm 2 (SC-Adagrad)
 *   ftrl                         McMahan et al. 2013, algorithm 1 (departure below)
 *   adam                         Kingma, Ba 2015, algorithm 1
 *   nesterov                     Sutskever et al. 2013, in the form g + beta v
 *
 * Two departures. (1) Penalties enter through the proximal operator at the rate
 * of their coordinate, not through the gradient: the fixed point is the optimum
 * of the penalized objective under every optimizer, adam included. (2) FTRL's L1
 * threshold and L2 weight grow with every step (the penalty is part of every
 * round's loss), where the paper adds them once to the whole sum; with the
 * paper's rule the penalty would fade as 1/t.
 */
#ifndef CIRRUS_RULES_H
#define CIRRUS_RULES_H

#include "penalty.h"

/* What a coordinate needs to know of its row. */
typedef struct {
    float rate;   /* learning rate, scale included */
    float l1, l2; /* of the penalty, at this rate; zero in unpenalized rows */
    float eps;    /* added to the root of the squares, in the units of the gradient */
} coordinate;

INLINE void penalize(const cirrus_model *m, coordinate *c, uint32_t optimizer, float l1,
                     float l2) {
    /* A velocity passes a gradient on 1 / (1 - beta) times; so must the penalty count. */
    const int passes_on = optimizer == CIRRUS_MOMENTUM || optimizer == CIRRUS_NESTEROV;
    const float left = passes_on ? 1.0f - m->spec.beta1 : 1.0f;
    c->l1 = l1 / left;
    c->l2 = l2 / left;
}

INLINE coordinate coordinate_of(const cirrus_model *m, const float *row, uint32_t id,
                                uint32_t optimizer, float rate) {
    coordinate c = {rate, 0.0f, 0.0f, m->spec.eps};
    if (id < m->spec.penalized)
        penalize(m, &c, optimizer, m->spec.l1, m->spec.l2);
    if (m->spec.scaled) {
        const float scale = row[m->stride - 1], inverse = 1.0f / scale, power_t = m->spec.power_t;
        float factor = optimizer <= CIRRUS_NESTEROV ? inverse * inverse : inverse;
        if (optimizer == CIRRUS_ADAGRAD && power_t != 0.5f)
            factor *= power_t == 0.75f ? sqrtf(scale) : powf(scale, 2.0f * power_t - 1.0f);
        c.eps *= scale;
        c.rate *= factor;
    }
    return c;
}

/* What a coordinate of this row needs to know where columns differ. */
INLINE coordinate in_column(const cirrus_model *m, coordinate c, uint32_t id, uint32_t optimizer,
                            uint32_t width, uint32_t j) {
    if (m->columns) {
        c.rate *= m->columns[j];
        if (id < m->spec.penalized)
            penalize(m, &c, optimizer, m->columns[width + j], m->columns[2 * width + j]);
    }
    return c;
}

/* Adagrad's rate where the squares of the gradients add up to `squares`. */
INLINE float adagrad_rate(coordinate c, float squares, float power_t) {
    const float root = sqrtf(squares) + c.eps;
    if (power_t == 0.5f)
        return c.rate / root;
    if (power_t == 0.75f) /* of two square roots: a tenth of the time of powf */
        return c.rate / (root * sqrtf(root));
    return c.rate / (power_t == 1.0f ? root * root : powf(root, 2.0f * power_t));
}

/* w and state s (s[0], s[width], ...) of one coordinate, k steps without gradient;
 * `then` is the number of steps the model had seen when the row was last touched. */
INLINE void sleep_through(const cirrus_model *m, uint32_t optimizer, coordinate c, float *w,
                          float *s, uint32_t width, uint32_t k, double then) {
    const float eps = c.eps;
    float rate;
    switch (optimizer) {
    case CIRRUS_SGD:
        *w = shrink(*w, c.rate * c.l1, c.rate * c.l2, k);
        break;
    case CIRRUS_MOMENTUM:
    case CIRRUS_NESTEROV:
        coast(w, s, c.rate, c.rate * c.l1, c.rate * c.l2, m->spec.beta1,
              optimizer == CIRRUS_NESTEROV ? m->spec.beta1 : 1.0f, k);
        break;
    case CIRRUS_ADAGRAD:
        if (s[0] > 0.0f) { /* never touched: no rate yet, a loaded weight stays */
            rate = adagrad_rate(c, s[0], m->spec.power_t);
            *w = shrink(*w, rate * c.l1, rate * c.l2, k);
        }
        break;
    case CIRRUS_ADAM:
        if (s[2 * width] > 0.0f) {
            double corrected = s[width] / (1.0 - pow(m->spec.beta2, s[2 * width]));
            rate = (float)(c.rate / (sqrt(corrected) + eps));
            *w = shrink(*w, rate * c.l1, rate * c.l2, k);
        }
        break;
    case CIRRUS_FTRL:
        if (*w != 0.0f && s[0] > 0.0f) {
            rate = c.rate / (sqrtf(s[0]) + eps);
            float a = rate * c.l1, b = rate * c.l2, before = *w;
            *w = shrink(before, a, b, k);
            if (*w == 0.0f && a > 0.0f) { /* when did it arrive at zero? */
                double size = fabs((double)before);
                double steps = b > 0.0f ? log1p(size * b / a) / log1p((double)b) : size / a;
                s[width] = (float)copysign((then + fmin(steps, k)) * c.l1, -before);
            }
        }
        break;
    }
}

/* One step with gradient g, which is step number `now` of the model. */
INLINE void update(const cirrus_model *m, uint32_t optimizer, coordinate c, float *w,
                   float *s, uint32_t width, float g, double now) {
    const float beta1 = m->spec.beta1, beta2 = m->spec.beta2, eps = c.eps;
    float rate;
    switch (optimizer) {
    case CIRRUS_SGD:
        *w = prox(*w - c.rate * g, c.rate * c.l1, c.rate * c.l2);
        break;
    case CIRRUS_MOMENTUM:
        s[0] = beta1 * s[0] + g;
        *w = prox(*w - c.rate * s[0], c.rate * c.l1, c.rate * c.l2);
        break;
    case CIRRUS_NESTEROV:
        s[0] = beta1 * s[0] + g;
        *w = prox(*w - c.rate * (g + beta1 * s[0]), c.rate * c.l1, c.rate * c.l2);
        break;
    case CIRRUS_ADAGRAD:
        s[0] += g * g;
        if (s[0] > 0.0f) {
            rate = adagrad_rate(c, s[0], m->spec.power_t);
            *w = prox(*w - rate * g, rate * c.l1, rate * c.l2);
        }
        break;
    case CIRRUS_ADAM: {
        s[2 * width] += 1.0f;
        s[0] = beta1 * s[0] + (1.0f - beta1) * g;
        s[width] = beta2 * s[width] + (1.0f - beta2) * g * g;
        double mean = s[0] / (1.0 - pow(beta1, s[2 * width]));
        double square = s[width] / (1.0 - pow(beta2, s[2 * width]));
        double root = sqrt(square) + eps;
        if (root > 0.0) {
            rate = (float)(c.rate / root);
            *w = prox((float)(*w - rate * mean), rate * c.l1, rate * c.l2);
        }
        break;
    }
    case CIRRUS_FTRL: {
        double before = (sqrt((double)s[0]) + eps) / c.rate;
        s[0] += g * g;
        double after = (sqrt((double)s[0]) + eps) / c.rate;
        if (!(after > 0.0) || isinf(after)) /* no gradient yet, or a rate of zero */
            break;
        double x = *w, z = s[width];
        if (x != 0.0)
            z = -x * before - copysign((now - 1.0) * c.l1, x);
        z += g - (after - before) * x;
        double beyond = fabs(z) - now * c.l1;
        s[width] = (float)z;
        *w = beyond > 0.0 ? (float)(-copysign(beyond, z) / (after + c.l2)) : 0.0f;
        break;
    }
    }
}

#endif
