/* SPDX-License-Identifier: MIT */
/* The shell's view of xenstore. */
#include <plinth/errno.h>
#include <plinth/heap.h>
#include <plinth/printf.h>
#include <plinth/printk.h>
#include <plinth/shell.h>
#include <plinth/string.h>
#include <plinth/xenstore.h>

/*
 * A walk of a tree, without recursion: a path may have a thousand parts.  The
 * tree may change meanwhile; each node is as it was when it was asked for.
 */
struct folder {
    struct folder *up;
    struct xs_list names;
    const char *at;  /* the name last looked at; NULL: none yet */
    size_t path_len; /* of the folder's own path */
};

struct walk_state {
    struct xs_connection *xs;
    struct folder *folder; /* the innermost one */
    unsigned int depth;
    char path[XENSTORE_ABS_PATH_MAX + 1];
};

/* A value is bytes; what is not a printable character is shown in hex. */
static void print_value(const char *value, size_t len)
{
    for (size_t i = 0; i < len;) {
        char text[64];
        size_t n = 0;

        while (i < len && n < sizeof(text) - 8) {
            const unsigned char c = value[i++];

            if (c < ' ' || c > '~' || c == '"' || c == '\\')
                n += scnprintf(text + n, sizeof(text) - n, "\\x%02x", c);
            else
                text[n++] = (char)c;
        }
        text[n] = '\0';
        say("%s", text);
    }
}

/* "name = "value"", or why not, for the node at @path. */
static int print_node(struct xs_connection *xs, const char *path,
                      const char *name, unsigned int depth)
{
    char *value;
    size_t len;
    const int rc = xs_read(xs, XS_NO_TX, path, &value, &len);

    if (rc != 0) {
        say("%*s%s: %s\n", (int)depth, "", name, errno_name(rc));
        return rc;
    }
    say("%*s%s = \"", (int)depth, "", name);
    print_value(value, len);
    say("\"\n");
    free(value);
    return 0;
}

static int enter(struct walk_state *w)
{
    struct folder *f = calloc(1, sizeof(*f));
    int rc = -ENOMEM;

    if (f != NULL)
        rc = xs_directory(w->xs, XS_NO_TX, w->path, &f->names);
    if (rc != 0) {
        free(f);
        return rc;
    }
    f->up = w->folder;
    f->path_len = strlen(w->path);
    w->folder = f;
    w->depth++;
    return 0;
}

static void leave(struct walk_state *w)
{
    struct folder *f = w->folder;

    w->folder = f->up;
    w->depth--;
    free(f->names.text);
    free(f);
}

/* The path of @f's node @name; false: longer than a path can be. */
static bool set_path(struct walk_state *w, const struct folder *f,
                     const char *name)
{
    const bool slash = f->path_len == 0 || w->path[f->path_len - 1] != '/';
    const size_t n = strlen(name);

    if (f->path_len + slash + n >= sizeof(w->path))
        return false;
    if (slash)
        w->path[f->path_len] = '/';
    memcpy(w->path + f->path_len + slash, name, n + 1);
    return true;
}

/* What one node refuses another may give; what ends all is no answer at all. */
static bool is_fatal(int rc)
{
    return rc == -EIO || rc == -ETIMEDOUT || rc == -ENOMEM;
}

static int step(struct walk_state *w)
{
    struct folder *f = w->folder;
    int rc;

    f->at = xs_list_next(&f->names, f->at);
    if (f->at == NULL) {
        leave(w);
        return 0;
    }
    if (!set_path(w, f, f->at)) {
        say("%*s%s: %s\n", (int)w->depth, "", f->at, errno_name(-E2BIG));
        return 0;
    }
    rc = print_node(w->xs, w->path, f->at, w->depth - 1);
    if (rc == 0)
        rc = enter(w);
    return is_fatal(rc) ? rc : 0;
}

static int list_tree(struct xs_connection *xs, const char *path)
{
    struct walk_state *w = calloc(1, sizeof(*w));
    int rc;

    if (w == NULL)
        return -ENOMEM;
    w->xs = xs;
    rc = strlen(path) < sizeof(w->path) ? 0 : -EINVAL;
    if (rc == 0) {
        strlcpy(w->path, path, sizeof(w->path));
        rc = enter(w);
    }
    while (rc == 0 && w->folder != NULL)
        rc = step(w);
    while (w->folder != NULL)
        leave(w);
    free(w);
    return rc;
}

/* What a path without a "/" in front begins with: /local/domain/N. */
static int list_own(struct xs_connection *xs)
{
    char *id, path[32];
    int rc = xs_read(xs, XS_NO_TX, "domid", &id, NULL);

    if (rc != 0)
        return rc;
    snprintf(path, sizeof(path), "/local/domain/%s", id);
    free(id);
    return list_tree(xs, path);
}

static int read_one(struct xs_connection *xs, const char *path)
{
    char *value;
    size_t len;
    const int rc = xs_read(xs, XS_NO_TX, path, &value, &len);

    if (rc != 0)
        return rc;
    print_value(value, len);
    say("\n");
    free(value);
    return 0;
}

static int xs(int argc, char *argv[])
{
    const bool ls = argc >= 2 && strcmp(argv[1], "ls") == 0;
    const bool read = argc == 3 && strcmp(argv[1], "read") == 0;
    struct xs_connection *xs;
    int rc;

    if ((!ls && !read) || argc > 3)
        return SHELL_USAGE;
    rc = xenstore(&xs);
    if (rc != 0) {
        say("no xenstore: %s\n", errno_name(rc));
        return rc;
    }
    rc = read        ? read_one(xs, argv[2])
         : argc == 3 ? list_tree(xs, argv[2])
                     : list_own(xs);
    if (rc != 0)
        say("%s: %s\n", argc == 3 ? argv[2] : "own folder", errno_name(rc));
    return rc;
}
SHELL_COMMAND(xs, "ls [PATH] | read PATH", "xenstore: a tree, a value", xs);
