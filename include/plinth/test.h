/* SPDX-License-Identifier: MIT */
/*
 * test: write a test, link it, it runs.
 *
 *     TEST(p2m, past_the_end_is_invalid)
 *     {
 *         EXPECT(mfn_eq(p2m_lookup(_pfn(p2m_size())), INVALID_MFN));
 *     }
 *
 * The name in the results is "p2m.past_the_end_is_invalid".  EXPECT notes a
 * failure and carries on; REQUIRE notes it and leaves the test; SKIP leaves it
 * with a reason.  Arguments are evaluated once.
 *
 * A test gives back what it takes: the runner compares what LEDGER() counters
 * say before and after, and fails a test that leaves something behind.  What is
 * kept for later is given back before they are asked (page_reclaim()).
 *
 * No test depends on how fast the machine is, which may stand still at any moment
 * for longer than a test takes.  That much time has passed is no sign that anything
 * has happened meanwhile, a timer's interrupt neither: wait for what must come, by
 * a deadline that only a failure reaches, and let order and number decide.
 *
 * A test of FATAL() is expected to end the domain.  It runs only when the
 * option tests= spells its name in full.
 *
 *   context  the application's thread
 *   owns     results live in the runner; a test keeps no state across runs
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include <plinth/compiler.h>
#include <plinth/trap.h>

struct test_run {
    unsigned int failures;
    const char *skipped; /* why, or NULL */
};

struct test {
    const char *suite, *name;
    void (*fn)(struct test_run *run);
    bool fatal;
};

/* Note one failed check of @run. */
void __printf(4, 5) test_fail(struct test_run *run, const char *file, int line,
                              const char *fmt, ...);
void test_fail_eq(struct test_run *run, const char *file, int line,
                  const char *what, uint64_t got, uint64_t want);
void test_fail_str(struct test_run *run, const char *file, int line,
                   const char *what, const char *got, const char *want);

/* Was the right trap taken?  If not, note it. */
void test_check_trap(struct test_run *run, const char *file, int line,
                     const char *what, const struct trap *got,
                     unsigned int want);

/* The next number of the test's own sequence; the option seed= starts it. */
uint64_t test_random(void);

/* The value of option name= (or "" for a bare word), or NULL. */
const char *test_option(const char *name);

#define TEST_(s, n, f)                                                         \
    static void test_##s##_##n(struct test_run *run_ __unused);                \
    static const struct test case_##s##_##n = { #s, #n, test_##s##_##n, f };   \
    static const struct test *const ref_##s##_##n __section("plinth_tests")    \
        __used = &case_##s##_##n;                                              \
    static void test_##s##_##n(struct test_run *run_ __unused)

#define TEST(suite, name)  TEST_(suite, name, false)
#define FATAL(suite, name) TEST_(suite, name, true)

#define CHECK_(cond, leave, ...)                                               \
    do {                                                                       \
        if (!(cond)) {                                                         \
            test_fail(run_, __FILE__, __LINE__, __VA_ARGS__);                  \
            leave;                                                             \
        }                                                                      \
    } while (0)

#define EXPECT(cond)  CHECK_(cond, , "%s", #cond)
#define REQUIRE(cond) CHECK_(cond, return, "%s", #cond)

#define EXPECT_EQ(got, want)                                                   \
    do {                                                                       \
        const uint64_t got_ = (uint64_t)(got), want_ = (uint64_t)(want);       \
        if (got_ != want_)                                                     \
            test_fail_eq(run_, __FILE__, __LINE__, #got, got_, want_);         \
    } while (0)

#define EXPECT_STR(got, want)                                                  \
    test_fail_str(run_, __FILE__, __LINE__, #got, got, want)

#define SKIP(why)                                                              \
    do {                                                                       \
        run_->skipped = (why);                                                 \
        return;                                                                \
    } while (0)

/* What no vector is: the statement ran through. */
#define NO_TRAP TRAP_VECTORS

/* Run @statement; the trap it took, or one with vector NO_TRAP. */
#define CATCH_TRAP(statement)                                                  \
    ({                                                                         \
        struct trap_catch catch_;                                              \
        if (trap_catch_begin(&catch_) == 0) {                                  \
            statement;                                                         \
            trap_catch_end(&catch_);                                           \
            catch_.trap.vector = NO_TRAP;                                      \
        }                                                                      \
        catch_.trap;                                                           \
    })

#define EXPECT_FAULT(vector_, statement)                                       \
    do {                                                                       \
        const struct trap trap_ = CATCH_TRAP(statement);                       \
        test_check_trap(run_, __FILE__, __LINE__, #statement, &trap_,          \
                        vector_);                                              \
    } while (0)

/* Something countable that tests must leave as they found it. */
struct ledger {
    const char *what;
    uint64_t (*count)(void);
};

#define LEDGER(name, fn)                                                       \
    static const struct ledger ledger_##name = { #name, fn };                  \
    static const struct ledger *const ledger_ref_##name __section(             \
        "plinth_ledger") __used = &ledger_##name

/*
 * Run what the options ask for, print KTAP and the verdict.  Returns the exit
 * status: 0 success, 3 all skipped, 4 error (of the call), 5 failure.
 */
int test_main(int argc, char *argv[], const char *const known_options[]);
