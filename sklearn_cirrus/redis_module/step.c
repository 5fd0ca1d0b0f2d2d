/* CIRRUS.PULL, PUSH and STEP, and CIRRUS.TAG: tags let a push be applied at most once. */
#include "arguments.h"
#include "commands.h"

typedef struct {
    float lr;
    id_list push;
    const uint8_t *grads;
    size_t grad_bytes;
    int tagged;
    uint64_t worker, generation, sequence;
} push_request;

/* worker generation sequence; 0 once the error has been sent. */
static int get_tag(RedisModuleCtx *ctx, RedisModuleString **argv, push_request *r) {
    if (!cirrus_get_count(argv[0], CIRRUS_MAX_WORKER, &r->worker))
        return cirrus_fail(ctx, "BADVALUE the worker must be an integer from 0 to 65535"), 0;
    if (!cirrus_get_count(argv[1], UINT32_MAX, &r->generation))
        return cirrus_fail(ctx, "BADVALUE the generation must be an integer from 0 to 4294967295"),
               0;
    if (!cirrus_get_count(argv[2], CIRRUS_MAX_COUNT, &r->sequence))
        return cirrus_fail(ctx, "BADVALUE the sequence must be an integer from 0 to 2^53"), 0;
    return 1;
}

/* lr ids grads, and the tag that may stand at argv[tag_at]; 0 once the error has been sent. */
static int parse_push(RedisModuleCtx *ctx, RedisModuleString **argv, int argc, int tag_at,
                      push_request *r) {
    if (!cirrus_get_number(argv[2], &r->lr))
        return cirrus_fail(ctx, "BADVALUE the learning rate must be finite and not negative"), 0;
    if (!cirrus_get_ids(ctx, argv[3], &r->push))
        return 0;
    r->grads = (const uint8_t *)RedisModule_StringPtrLen(argv[4], &r->grad_bytes);
    r->tagged = argc > tag_at;
    if (!r->tagged)
        return 1;
    if (argc != tag_at + 4 || !cirrus_is_word(argv[tag_at], "TAG"))
        return cirrus_fail(ctx, "BADARG expected TAG worker generation sequence and nothing after"),
               0;
    return get_tag(ctx, argv + tag_at + 1, r);
}

typedef enum { APPLIED, DUPLICATE, REFUSED } push_outcome; /* REFUSED: the error has been sent */

static push_outcome apply_push(RedisModuleCtx *ctx, served_model *served, const push_request *r) {
    worker_tag *tag = NULL;
    if (r->grad_bytes != r->push.ids * served->model->spec.width * sizeof(float)) {
        cirrus_fail(ctx, "BADLENGTH %zu ids of width %u need %zu bytes of gradients, not %zu",
                    r->push.ids, served->model->spec.width,
                    r->push.ids * served->model->spec.width * sizeof(float), r->grad_bytes);
        return REFUSED;
    }
    if (r->tagged) {
        if (!cirrus_make_room(served, (uint32_t)r->worker)) {
            cirrus_fail(ctx, "OOM not enough memory for the worker's tag");
            return REFUSED;
        }
        tag = served->tags + r->worker;
        if (tag->seen && r->generation < tag->generation) {
            cirrus_fail(ctx, "STALEWORKER generation %u of worker %u has taken over",
                        tag->generation, (uint32_t)r->worker);
            return REFUSED;
        }
        if (tag->seen && r->generation == tag->generation && r->sequence <= tag->sequence)
            return DUPLICATE;
    }
    cirrus_status status = cirrus_push(served->model, r->push.bytes, r->grads, r->push.ids, r->lr);
    if (status != CIRRUS_OK) {
        cirrus_fail_with(ctx, status);
        return REFUSED;
    }
    if (tag)
        *tag = (worker_tag){r->sequence, (uint32_t)r->generation, 1};
    return APPLIED;
}

/* CIRRUS.PULL key ids -> rows */
int cirrus_pull_command(RedisModuleCtx *ctx, RedisModuleString **argv, int argc) {
    id_list pull;
    if (argc != 3)
        return RedisModule_WrongArity(ctx);
    if (!cirrus_get_ids(ctx, argv[2], &pull))
        return REDISMODULE_OK;
    RedisModuleKey *key;
    served_model *served = cirrus_open_model(ctx, argv[1], REDISMODULE_READ, &key);
    size_t size = served ? served->model->spec.width * sizeof(float) : 0;
    uint8_t *rows = served ? cirrus_reply_buffer(ctx, pull.ids, size) : NULL;
    if (rows) {
        cirrus_status status = cirrus_pull(served->model, pull.bytes, pull.ids, rows);
        if (status == CIRRUS_OK)
            RedisModule_ReplyWithStringBuffer(ctx, (char *)rows, pull.ids * size);
        else
            cirrus_fail_with(ctx, status);
        cirrus_release(rows);
    }
    RedisModule_CloseKey(key);
    return REDISMODULE_OK;
}

/* CIRRUS.PUSH key lr ids grads [TAG worker generation sequence] -> 1 applied | 0 duplicate */
int cirrus_push_command(RedisModuleCtx *ctx, RedisModuleString **argv, int argc) {
    push_request request;
    if (argc < 5)
        return RedisModule_WrongArity(ctx);
    if (!parse_push(ctx, argv, argc, 5, &request))
        return REDISMODULE_OK;
    RedisModuleKey *key;
    served_model *served = cirrus_open_model(ctx, argv[1], READ_WRITE, &key);
    push_outcome outcome = served ? apply_push(ctx, served, &request) : REFUSED;
    RedisModule_CloseKey(key);
    if (outcome == APPLIED)
        RedisModule_ReplicateVerbatim(ctx);
    if (outcome != REFUSED)
        RedisModule_ReplyWithLongLong(ctx, outcome == APPLIED);
    return REDISMODULE_OK;
}

/* CIRRUS.STEP key lr push-ids grads pull-ids [TAG worker generation sequence] -> rows */
int cirrus_step_command(RedisModuleCtx *ctx, RedisModuleString **argv, int argc) {
    push_request request;
    id_list pull;
    if (argc < 6)
        return RedisModule_WrongArity(ctx);
    if (!parse_push(ctx, argv, argc, 6, &request) || !cirrus_get_ids(ctx, argv[5], &pull))
        return REDISMODULE_OK;
    RedisModuleKey *key;
    served_model *served = cirrus_open_model(ctx, argv[1], READ_WRITE, &key);
    size_t size = served ? served->model->spec.width * sizeof(float) : 0;
    uint8_t *rows = served ? cirrus_reply_buffer(ctx, pull.ids, size) : NULL;
    if (rows) {
        cirrus_status status = cirrus_check_ids(served->model, pull.bytes, pull.ids);
        push_outcome outcome = REFUSED;
        if (status != CIRRUS_OK) /* seen before the push, which must then not happen */
            cirrus_fail_with(ctx, status);
        else
            outcome = apply_push(ctx, served, &request);
        if (outcome == APPLIED)
            RedisModule_ReplicateVerbatim(ctx);
        if (outcome != REFUSED) {
            cirrus_pull(served->model, pull.bytes, pull.ids, rows);
            RedisModule_ReplyWithStringBuffer(ctx, (char *)rows, pull.ids * size);
        }
        cirrus_release(rows);
    }
    RedisModule_CloseKey(key);
    return REDISMODULE_OK;
}

/* CIRRUS.TAG key worker generation sequence -> OK (as if that had been the worker's last push) */
int cirrus_tag_command(RedisModuleCtx *ctx, RedisModuleString **argv, int argc) {
    push_request r;
    if (argc != 5)
        return RedisModule_WrongArity(ctx);
    if (!get_tag(ctx, argv + 2, &r))
        return REDISMODULE_OK;
    RedisModuleKey *key;
    served_model *served = cirrus_open_model(ctx, argv[1], READ_WRITE, &key);
    int room = served && cirrus_make_room(served, (uint32_t)r.worker);
    if (room)
        served->tags[r.worker] = (worker_tag){r.sequence, (uint32_t)r.generation, 1};
    RedisModule_CloseKey(key);
    if (room) {
        RedisModule_ReplicateVerbatim(ctx);
        RedisModule_ReplyWithSimpleString(ctx, "OK");
    } else if (served) {
        cirrus_fail(ctx, "OOM not enough memory for the worker's tag");
    }
    return REDISMODULE_OK;
}
