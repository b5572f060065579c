/* Three members in one process, on real sockets and folders: electing, agreeing, failing, coming back. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <ftw.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "coordinator/consensus.h"
#include "env/uv_loop.h"

#define MEMBERS 4
#define WAIT_MS 120000u

struct world {
    char dir[64];
    struct ldr_uv_loop *loop;
    const struct ldr_loop *seam;
    struct ldr_consensus *c[MEMBERS];
    char address[MEMBERS][32], folder[MEMBERS][96];
    uint32_t snapshot_every;
    bool (*until)(struct world *w);
    struct ldr_timer poll, limit;
    bool timed_out;
    int closed;
    uint64_t seq;
};

/* A port that was free a moment ago. */
static unsigned free_port(void)
{
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t n = sizeof a;
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    assert_true(fd >= 0);
    assert_int_equal(bind(fd, (struct sockaddr *)(void *)&a, sizeof a), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)(void *)&a, &n), 0);
    close(fd);
    return ntohs(a.sin_port);
}

static void poll_again(struct ldr_timer *t)
{
    struct world *w = t->owner;
    if (w->until(w))
        ldr_uv_loop_stop(w->loop);
    else
        w->seam->timer_start(w->seam->ctx, &w->poll, 5000);
}
static void give_up(struct ldr_timer *t)
{
    struct world *w = t->owner;
    w->timed_out = true;
    ldr_uv_loop_stop(w->loop);
}
static void run_until(struct world *w, bool (*until)(struct world *w))
{
    w->until = until;
    w->timed_out = false;
    w->poll.fire = poll_again;
    w->limit.fire = give_up;
    w->poll.owner = w->limit.owner = w;
    w->seam->timer_start(w->seam->ctx, &w->poll, 0);
    w->seam->timer_start(w->seam->ctx, &w->limit, WAIT_MS * 1000);
    ldr_uv_loop_run(w->loop);
    w->seam->timer_stop(w->seam->ctx, &w->poll);
    w->seam->timer_stop(w->seam->ctx, &w->limit);
    assert_false(w->timed_out);
}

static void open_member(struct world *w, int i, bool bootstrap)
{
    struct ldr_member members[3];
    struct ldr_err err;
    for (int k = 0; k < 3; k++)
        members[k] = (struct ldr_member){(uint64_t)k + 1, w->address[k]};
    struct ldr_consensus_opts o = {.loop = w->loop,
                                   .id = (uint64_t)i + 1,
                                   .dir = w->folder[i],
                                   .address = w->address[i],
                                   .members = members,
                                   .nmembers = 3,
                                   .bootstrap = bootstrap,
                                   .election_ms = 150,
                                   .heartbeat_ms = 20,
                                   .snapshot_every = w->snapshot_every};
    if (ldr_consensus_open(&o, &w->c[i], &err))
        fail_msg("%s", err.message);
}

static void begin(struct world *w, int n)
{
    memset(w, 0, sizeof *w);
    snprintf(w->dir, sizeof w->dir, "/tmp/larder-raft-XXXXXX");
    assert_non_null(mkdtemp(w->dir));
    assert_int_equal(ldr_uv_loop_create(&w->loop), 0);
    w->seam = ldr_uv_loop_seam(w->loop);
    for (int i = 0; i < MEMBERS; i++) {
        snprintf(w->address[i], sizeof w->address[i], "127.0.0.1:%u", free_port());
        snprintf(w->folder[i], sizeof w->folder[i], "%s/%d", w->dir, i + 1);
    }
    for (int i = 0; i < n; i++)
        open_member(w, i, true);
}

static void one_closed(void *owner)
{
    ((struct world *)owner)->closed++;
}
static bool any_closed(struct world *w)
{
    return w->closed > 0;
}
static void close_member(struct world *w, int i)
{
    w->closed = 0;
    ldr_consensus_close(w->c[i], one_closed, w);
    w->c[i] = NULL;
    run_until(w, any_closed);
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *at)
{
    (void)st, (void)type, (void)at;
    return remove(path);
}
static void end(struct world *w)
{
    for (int i = 0; i < MEMBERS; i++)
        if (w->c[i])
            close_member(w, i);
    ldr_uv_loop_destroy(w->loop);
    nftw(w->dir, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

static int leader_of(struct world *w)
{
    for (int i = 0; i < MEMBERS; i++)
        if (w->c[i] && ldr_consensus_leading(w->c[i]))
            return i;
    return -1;
}
static bool somebody_leads(struct world *w)
{
    return leader_of(w) >= 0;
}
static bool the_new_one_leads(struct world *w)
{
    return leader_of(w) == 3;
}
static bool all_agree(struct world *w)
{
    uint64_t first = 0, hash, applied = 0;
    for (int i = 0; i < MEMBERS; i++) {
        if (!w->c[i])
            continue;
        assert_int_equal(ldr_state_hash(ldr_consensus_state(w->c[i]), &hash), 0);
        if (applied && (ldr_consensus_applied(w->c[i]) != applied || hash != first))
            return false;
        applied = ldr_consensus_applied(w->c[i]);
        first = hash;
    }
    return true;
}

/* ---- Proposals ---- */

struct asked {
    struct ldr_proposal p;
    struct world *w;
    int code, result;
    uint64_t value;
    bool done;
};
static struct asked *waiting_for;
static void answered(struct ldr_proposal *p, int code, const struct ldr_state_result *result)
{
    struct asked *a = p->owner;
    a->code = code;
    a->result = result ? result->code : 0;
    a->value = result ? result->value : 0;
    a->done = true;
}
static bool is_answered(struct world *w)
{
    (void)w;
    return waiting_for->done;
}

/* A node joins: something that each member's map shows. */
static void submit(struct world *w, int member, uint64_t incarnation, struct asked *a)
{
    struct ldr_buf command, envelope;
    struct ldr_map_command c = {
        .kind = LDR_CMD_NODE_JOIN, .incarnation = incarnation, .address = ldr_slice_str("10.0.0.1:7420")};
    char text[32];
    snprintf(text, sizeof text, "10.0.0.1:%u", (unsigned)(incarnation % 60000 + 1));
    c.address = ldr_slice_str(text);
    ldr_buf_init(&command, NULL, 0);
    ldr_buf_init(&envelope, NULL, 0);
    assert_int_equal(ldr_map_command_encode(&c, &command), 0);
    struct ldr_envelope e = {.now_us = INT64_C(1700000000000000),
                             .client = 9,
                             .seq = ++w->seq,
                             .command = ldr_buf_slice(&command)};
    assert_int_equal(ldr_envelope_encode(&e, &envelope), 0);
    a->p.done = answered;
    a->p.owner = a;
    ldr_consensus_propose(w->c[member], ldr_buf_slice(&envelope), &a->p);
    assert_false(a->done); /* never inside the call */
    ldr_buf_close(&command);
    ldr_buf_close(&envelope);
}
static int propose(struct world *w, int member, uint64_t incarnation)
{
    struct asked a = {.w = w};
    submit(w, member, incarnation, &a);
    waiting_for = &a;
    run_until(w, is_answered);
    return a.code ? a.code : a.result;
}

static int change(struct world *w, enum ldr_member_op op, int member)
{
    struct asked a = {.w = w};
    a.p.done = answered;
    a.p.owner = &a;
    ldr_consensus_member(w->c[leader_of(w)], op, (uint64_t)member + 1, w->address[member], &a.p);
    waiting_for = &a;
    run_until(w, is_answered);
    return a.code;
}

static void three_elect_agree_and_read(void **state)
{
    struct world w;
    (void)state;
    begin(&w, 3);
    run_until(&w, somebody_leads);
    int leader = leader_of(&w);
    for (uint64_t i = 1; i <= 20; i++)
        assert_int_equal(propose(&w, leader, i), 0);
    assert_int_equal(propose(&w, (leader + 1) % 3, 21), LDR_E_NOT_LEADER);
    struct asked a[3] = {{.w = &w}};
    for (int i = 0; i < 3; i++) {
        a[i].p.done = answered;
        a[i].p.owner = &a[i];
        ldr_consensus_barrier(w.c[leader], &a[i].p);
    }
    for (int i = 0; i < 3; i++) {
        waiting_for = &a[i];
        run_until(&w, is_answered);
        assert_int_equal(a[i].code, 0);
    }
    assert_int_equal(ldr_state_map(ldr_consensus_state(w.c[leader]))->nnodes, 20);
    run_until(&w, all_agree);
    end(&w);
}

/* Many that are committed at once: libraft answers all of them after all have been applied. */
static void each_is_told_what_its_own_command_gave(void **state)
{
    struct world w;
    struct asked a[64];
    (void)state;
    begin(&w, 3);
    run_until(&w, somebody_leads);
    int leader = leader_of(&w);
    for (uint64_t i = 0; i < 64; i++) {
        a[i] = (struct asked){.w = &w};
        submit(&w, leader, i + 1, &a[i]);
    }
    for (uint64_t i = 0; i < 64; i++) {
        waiting_for = &a[i];
        run_until(&w, is_answered);
        assert_int_equal(a[i].code, 0);
        const struct ldr_map *m = ldr_state_map(ldr_consensus_state(w.c[leader]));
        for (uint32_t k = 0; k < m->nnodes; k++)
            if (m->nodes[k].incarnation == i + 1)
                assert_int_equal(a[i].value, m->nodes[k].id);
    }
    end(&w);
}

static void a_lost_leader_is_followed_by_another(void **state)
{
    struct world w;
    (void)state;
    begin(&w, 3);
    run_until(&w, somebody_leads);
    assert_int_equal(propose(&w, leader_of(&w), 1), 0);
    int old = leader_of(&w);
    close_member(&w, old);
    run_until(&w, somebody_leads);
    assert_int_not_equal(leader_of(&w), old);
    assert_int_equal(propose(&w, leader_of(&w), 2), 0);
    open_member(&w, old, false);
    run_until(&w, all_agree);
    assert_int_equal(ldr_state_map(ldr_consensus_state(w.c[old]))->nnodes, 2);
    end(&w);
}

static void snapshots_carry_everything(void **state)
{
    struct world w;
    (void)state;
    begin(&w, 0);
    w.snapshot_every = 8;
    for (int i = 0; i < 3; i++)
        open_member(&w, i, true);
    run_until(&w, somebody_leads);
    int late = (leader_of(&w) + 1) % 3;
    close_member(&w, late);
    run_until(&w, somebody_leads);
    for (uint64_t i = 1; i <= 60; i++)
        assert_int_equal(propose(&w, leader_of(&w), i), 0);
    open_member(&w, late, false); /* what it missed is in no log any more */
    run_until(&w, all_agree);
    assert_int_equal(ldr_state_map(ldr_consensus_state(w.c[late]))->nnodes, 60);
    for (int i = 0; i < 3; i++)
        close_member(&w, i);
    for (int i = 0; i < 3; i++)
        open_member(&w, i, true); /* asking to begin again changes nothing */
    run_until(&w, somebody_leads);
    run_until(&w, all_agree);
    assert_int_equal(ldr_state_map(ldr_consensus_state(w.c[0]))->nnodes, 60);
    end(&w);
}

static void a_lost_member_is_replaced(void **state)
{
    struct world w;
    (void)state;
    begin(&w, 3);
    run_until(&w, somebody_leads);
    assert_int_equal(propose(&w, leader_of(&w), 1), 0);
    int lost = (leader_of(&w) + 1) % 3;
    close_member(&w, lost);
    open_member(&w, 3, false); /* empty, waits to be taken in */
    assert_int_equal(change(&w, LDR_MEMBER_REMOVE, lost), 0);
    assert_int_equal(change(&w, LDR_MEMBER_ADD, 3), 0);
    run_until(&w, all_agree);
    assert_int_equal(change(&w, LDR_MEMBER_ADD, 3), LDR_E_EXISTS);
    assert_int_equal(change(&w, LDR_MEMBER_TRANSFER, 3), 0);
    run_until(&w, the_new_one_leads);
    assert_int_equal(propose(&w, 3, 2), 0);
    end(&w);
}

static void one_process_a_folder(void **state)
{
    struct world w;
    struct ldr_err err;
    struct ldr_consensus *second;
    (void)state;
    begin(&w, 1);
    struct ldr_consensus_opts o = {.loop = w.loop, .id = 1, .dir = w.folder[0], .address = w.address[0]};
    assert_int_equal(ldr_consensus_open(&o, &second, &err), LDR_E_LOCKED);
    o.address = "nowhere";
    assert_int_equal(ldr_consensus_open(&o, &second, &err), LDR_E_INVALID);
    end(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(three_elect_agree_and_read),
        cmocka_unit_test(each_is_told_what_its_own_command_gave),
        cmocka_unit_test(a_lost_leader_is_followed_by_another),
        cmocka_unit_test(snapshots_carry_everything),
        cmocka_unit_test(a_lost_member_is_replaced),
        cmocka_unit_test(one_process_a_folder),
    };
    signal(SIGPIPE, SIG_IGN); /* as every process with sockets does */
    return cmocka_run_group_tests(tests, NULL, NULL);
}
