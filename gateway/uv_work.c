/* Requests that wait for the store: answered on threads, said on the connection's loop. A streamed body goes
 * over in pieces, as fast as the client takes them. */
#include "gateway/uv_server.h"

/* ---- What a thread works with ---- */

static struct ldr_gw_worker *take_worker(struct ldr_gateway *g)
{
    pthread_mutex_lock(&g->idle_lock);
    struct ldr_gw_worker *w = g->idle;
    if (w)
        g->idle = w->next;
    pthread_mutex_unlock(&g->idle_lock);
    if (w)
        return w;
    w = ldr_calloc(NULL, 1, sizeof *w);
    if (w && ldr_gw_worker_init(w, g, g->store, g->config, &g->shared)) {
        ldr_gw_worker_close(w);
        ldr_release(NULL, w);
        w = NULL;
    }
    return w;
}

static void give_back(struct ldr_gateway *g, struct ldr_gw_worker *w)
{
    pthread_mutex_lock(&g->idle_lock);
    w->next = g->idle;
    g->idle = w;
    pthread_mutex_unlock(&g->idle_lock);
}

static unsigned most_long(const struct ldr_gateway *g)
{
    return 4 * (unsigned)g->config->long_threads;
}

int ldr_gw_threads_create(struct ldr_gateway *g, struct ldr_err *err)
{
    unsigned n = (unsigned)g->config->threads;
    pthread_mutex_init(&g->idle_lock, NULL);
    pthread_cond_init(&g->end, NULL);
    pthread_mutex_init(&g->shared.lock, NULL);
    pthread_mutex_init(&g->turn_lock, NULL);
    pthread_cond_init(&g->turn, NULL);
    int rc = ldr_pool_create(n ? n : g->local ? 4 : 32, &g->threads);
    if (!rc) /* one for each that is let in: they take turns */
        rc = ldr_pool_create(most_long(g), &g->long_threads);
    return rc ? ldr_fail(err, rc, "no threads: %s", ldr_code_text(rc)) : 0;
}

void ldr_gw_threads_destroy(struct ldr_gateway *g)
{
    ldr_pool_destroy(g->threads);
    ldr_pool_destroy(g->long_threads);
    while (g->idle) {
        struct ldr_gw_worker *w = g->idle;
        g->idle = w->next;
        ldr_gw_worker_close(w);
        ldr_release(NULL, w);
    }
    pthread_cond_destroy(&g->turn);
    pthread_mutex_destroy(&g->turn_lock);
    pthread_mutex_destroy(&g->shared.lock);
    pthread_cond_destroy(&g->end);
    pthread_mutex_destroy(&g->idle_lock);
}

/* ---- Turns: so many long requests work at one time; who waits for his client lets others work ---- */

static void begin_turn(struct ldr_gateway *g)
{
    pthread_mutex_lock(&g->turn_lock);
    while (g->running >= g->config->long_threads)
        pthread_cond_wait(&g->turn, &g->turn_lock);
    g->running++;
    pthread_mutex_unlock(&g->turn_lock);
}

static void end_turn(struct ldr_gateway *g)
{
    pthread_mutex_lock(&g->turn_lock);
    g->running--;
    pthread_cond_signal(&g->turn);
    pthread_mutex_unlock(&g->turn_lock);
}

/* ---- Streaming: on the thread ---- */

/* A piece joins what is ready when there is room. *waited: its turn was given up for that. */
static int put_piece(struct ldr_gw_work *k, const uint8_t *p, size_t n, bool *waited)
{
    pthread_mutex_lock(&k->lock);
    *waited = k->is_long && !k->gone && k->ready.n > LDR_GW_OWED_BYTES;
    if (*waited)
        end_turn(k->conn->loop->gateway);
    while (!k->gone && k->ready.n > LDR_GW_OWED_BYTES)
        pthread_cond_wait(&k->room, &k->lock); /* ends: the client reads, or is too slow and gone */
    bool gone = k->gone || ldr_buf_put(&k->ready, p, n) != 0;
    if (!gone && !k->posted) {
        k->posted = true;
        ldr_uv_loop_post(k->conn->loop->loop, &k->feed);
    }
    pthread_mutex_unlock(&k->lock);
    return gone ? LDR_E_CANCELLED : 0;
}

static int put_plain(void *ctx, struct ldr_slice bytes)
{
    struct ldr_gw_work *k = ctx;
    int rc = 0;
    for (size_t at = 0; rc == 0 && at < bytes.n;) {
        size_t n = bytes.n - at < LDR_GW_SLICE_BYTES ? bytes.n - at : LDR_GW_SLICE_BYTES;
        bool waited;
        rc = put_piece(k, bytes.p + at, n, &waited);
        if (waited)
            begin_turn(k->conn->loop->gateway);
        at += n;
    }
    return rc;
}

static int put_zipped(struct ldr_gw_work *k, struct ldr_slice bytes, enum ldr_gw_zip_how how)
{
    int rc = k->zipper ? 0 : ldr_gw_zipper_create(&k->zipper);
    return rc ? rc : ldr_gw_zipper_put(k->zipper, bytes, how, put_plain, k);
}

static int stream_put(void *ctx, struct ldr_slice bytes)
{
    struct ldr_gw_work *k = ctx;
    k->answer.streamed = true;
    return k->gzip ? put_zipped(k, bytes, LDR_GW_ZIP_MORE) : put_plain(k, bytes);
}

static int stream_flush(void *ctx)
{
    struct ldr_gw_work *k = ctx;
    return k->gzip && k->zipper ? put_zipped(k, ldr_slice(NULL, 0), LDR_GW_ZIP_FLUSH) : 0;
}

/* ---- and on the loop ---- */

static void say_chunk(struct ldr_gw_conn *c, const struct ldr_buf *b)
{
    struct ldr_buf *out = &c->loop->out;
    if (!b->n)
        return;
    if (!c->parser.old)
        ldr_buf_printf(out, "%zx\r\n", b->n);
    ldr_buf_put(out, b->p, b->n);
    if (!c->parser.old)
        ldr_buf_puts(out, "\r\n");
}

static void begin_stream(struct ldr_gw_conn *c, struct ldr_gw_work *k)
{
    if (k->begun)
        return;
    k->begun = true;
    c->last |= c->parser.old; /* its end is the connection's */
    ldr_gw_say_head(c, &k->request, &k->answer, true, 0, k->gzip);
}

/* What is ready goes to the connection, unless the client owes us too much reading already. */
static void feed(struct ldr_gw_work *k)
{
    struct ldr_gw_conn *c = k->conn;
    if (c->closing || ldr_gw_owed(c) > LDR_GW_OWED_BYTES)
        return;
    pthread_mutex_lock(&k->lock);
    struct ldr_buf ready = k->ready;
    ldr_buf_init(&k->ready, NULL, 0);
    pthread_cond_signal(&k->room);
    pthread_mutex_unlock(&k->lock);
    if (ready.n) {
        begin_stream(c, k);
        say_chunk(c, &ready);
        ldr_gw_flush(c);
    }
    ldr_buf_close(&ready);
}

static void on_feed(struct ldr_job *job)
{
    struct ldr_gw_work *k = (struct ldr_gw_work *)(void *)((char *)job - offsetof(struct ldr_gw_work, feed));
    pthread_mutex_lock(&k->lock);
    k->posted = false;
    pthread_mutex_unlock(&k->lock);
    feed(k);
}

void ldr_gw_work_drained(struct ldr_gw_conn *c)
{
    feed(c->work);
}

void ldr_gw_work_gone(struct ldr_gw_conn *c)
{
    struct ldr_gw_work *k = c->work;
    if (!k)
        return;
    pthread_mutex_lock(&k->lock);
    k->gone = true;
    pthread_cond_broadcast(&k->room);
    pthread_mutex_unlock(&k->lock);
}

static void destroy(struct ldr_gw_work *k)
{
    ldr_buf_close(&k->answer.body);
    ldr_buf_close(&k->ready);
    ldr_buf_close(&k->unzipped);
    ldr_gw_zipper_destroy(k->zipper);
    if (k->unzip.counted)
        atomic_fetch_sub(k->unzip.held, k->unzip.counted);
    pthread_cond_destroy(&k->room);
    pthread_mutex_destroy(&k->lock);
    ldr_release(NULL, k);
}

static void end_stream(struct ldr_gw_conn *c, struct ldr_gw_work *k)
{
    begin_stream(c, k);
    say_chunk(c, &k->ready);
    if (k->stream.broken) {
        ldr_gw_flush(c);
        ldr_gw_conn_close(c); /* without the last chunk: who reads it sees that it is not whole */
        return;
    }
    if (!c->parser.old)
        ldr_buf_puts(&c->loop->out, "0\r\n\r\n");
}

/* After the last of the thread's posts: jobs of a loop run in order. */
static void on_back(struct ldr_job *job)
{
    struct ldr_gw_work *k = (struct ldr_gw_work *)(void *)((char *)job - offsetof(struct ldr_gw_work, back));
    struct ldr_gw_conn *c = k->conn;
    struct ldr_gateway *g = c->loop->gateway;
    atomic_fetch_sub(k->is_long ? &g->long_queued : &g->queued, 1);
    if (c->loop->draining)
        c->last = true;
    if (!c->closing) {
        if (k->answer.streamed)
            end_stream(c, k);
        else
            ldr_gw_say(c, &k->request, &k->answer);
    }
    ldr_gw_count(c, &k->request, k->answer.status);
    c->work = NULL;
    destroy(k);
    if (c->closing)
        ldr_gw_conn_free(c);
    else
        ldr_gw_conn_resume(c);
}

/* ---- The work ---- */

/* false: the body is not what it says, and the answer says so. */
static bool unpack(struct ldr_gw_work *k)
{
    struct ldr_err err = {0};
    if (!k->unzip.held)
        return true;
    int rc = ldr_gw_unzip(&k->unzip, k->request.body, &k->unzipped, &err);
    if (rc)
        ldr_gw_fail_err(&k->answer, rc, &err);
    k->request.body = ldr_buf_slice(&k->unzipped);
    return rc == 0;
}

static void on_thread(struct ldr_job *job)
{
    struct ldr_gw_work *k = (struct ldr_gw_work *)(void *)job;
    struct ldr_gateway *g = k->conn->loop->gateway;
    bool is_long = k->is_long;
    if (is_long)
        begin_turn(g);
    struct ldr_gw_worker *w = take_worker(g);
    pthread_mutex_lock(&k->lock);
    bool gone = k->gone;
    pthread_mutex_unlock(&k->lock);
    if (!w) {
        ldr_gw_fail(&k->answer, 503, LDR_E_NOMEM, false, "out of memory");
    } else if (!gone && unpack(k)) { /* else he left while it waited */
        ldr_arena_reset(&w->arena);
        k->request.route->handler(w, &k->request, &k->answer);
        if (k->zipper && !k->stream.broken && put_zipped(k, ldr_slice(NULL, 0), LDR_GW_ZIP_END))
            k->stream.broken = true;
    }
    void (*after)(struct ldr_gw_worker *w, void *data) = k->answer.after;
    void *data = k->answer.after_data;
    ldr_uv_loop_post(k->conn->loop->loop, &k->back); /* now it may be gone */
    if (after)
        after(w, data);
    if (w)
        give_back(g, w);
    if (is_long)
        end_turn(g);
}

bool ldr_gw_work_begin(struct ldr_gw_conn *c, const struct ldr_gw_request *q, struct ldr_gw_answer *a)
{
    struct ldr_gateway *g = c->loop->gateway;
    bool is_long = q->route->where == LDR_GW_LONG;
    atomic_uint *queued = is_long ? &g->long_queued : &g->queued;
    unsigned most = is_long ? most_long(g) : (unsigned)g->config->queue;
    if (atomic_fetch_add(queued, 1) >= most || ldr_gw_parser_hold(&c->parser)) {
        atomic_fetch_sub(queued, 1);
        a->extra = "Retry-After: 1\r\n";
        ldr_gw_fail(a, 503, LDR_E_BUSY, false, "too many requests are waiting");
        return false;
    }
    struct ldr_gw_work *k = ldr_calloc(NULL, 1, sizeof *k);
    if (!k) {
        atomic_fetch_sub(queued, 1);
        ldr_gw_fail(a, 503, LDR_E_NOMEM, false, "out of memory");
        return false;
    }
    *k = (struct ldr_gw_work){.job.run = on_thread,
                              .back.run = on_back,
                              .feed.run = on_feed,
                              .conn = c,
                              .request = *q,
                              .is_long = is_long,
                              .gzip = c->parser.takes_gzip && g->config->gzip_min_bytes,
                              .stream = {.ctx = k, .put = stream_put, .flush = stream_flush}};
    k->request.body = c->parser.body;
    if (c->parser.zipped)
        k->unzip = (struct ldr_gw_unzip){
            .max = g->config->max_body_bytes, .held_max = g->config->bodies_bytes, .held = &g->bodies};
    ldr_buf_init(&k->unzipped, NULL, g->config->max_body_bytes);
    k->answer.stream = &k->stream;
    ldr_buf_init(&k->answer.body, NULL, 0);
    ldr_buf_init(&k->ready, NULL, 0);
    pthread_mutex_init(&k->lock, NULL);
    pthread_cond_init(&k->room, NULL);
    c->work = k;
    ldr_pool_submit(is_long ? g->long_threads : g->threads, &k->job);
    return true;
}
