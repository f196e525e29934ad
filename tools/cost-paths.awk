# SPDX-License-Identifier: MIT
#
# The figures of the test cost.paths, as the tables and bars of docs/memory.md:
#
#   awk -f tools/cost-paths.awk DOM0-LOG DOMU-LOG
#
# A line of it: "# cost: PATH | ENTRIES | FIRST TIME | LEAST", ticks per entry.

function bar(n,   s) { for (s = ""; n >= 25; n -= 50) s = s "#"; return s }
function cell(n) { return n == "" ? "-" : n }

/^# cost: / {
    sub(/\r$/, ""); sub(/^# cost: /, "")
    split($0, f, / \| /)
    domain = FILENAME == ARGV[1] ? 0 : 1
    if (!(f[1] in seen)) { seen[f[1]] = 1; names[++nr] = f[1] }
    if (f[2] > 1) batch[f[1]] = f[2] > batch[f[1]] ? f[2] : batch[f[1]]
    first[domain, f[1], f[2]] = f[3]
    least[domain, f[1], f[2]] = f[4]
}

END {
    print "| instructions for each entry, in batches of | 1 | 8 | 64 | 512 | domU |"
    print "|---|---|---|---|---|---|"
    for (i = 1; i <= nr; i++) {
        n = names[i]
        if (!(n in batch)) continue
        printf "| %s | %s | %s | %s | %s | %s |\n", n, cell(least[0, n, 1]), cell(least[0, n, 8]), \
               cell(least[0, n, 64]), cell(least[0, n, 512]), cell(least[1, n, batch[n]])
    }

    print "\n| instructions for one | first time | again | domU, again |\n|---|---|---|---|"
    for (i = 1; i <= nr; i++) {
        n = names[i]
        if (n in batch) continue
        printf "| %s | %s | %s | %s |\n", n, cell(first[0, n, 1]), cell(least[0, n, 1]), cell(least[1, n, 1])
    }

    # By cost, the cheapest first: there are few, so the simplest sort will do.
    print ""
    for (;;) {
        best = ""
        for (i = 1; i <= nr; i++)
            if (batch[names[i]] == 512 && !(names[i] in drawn) && \
                (best == "" || least[0, names[i], 512] + 0 < least[0, best, 512] + 0))
                best = names[i]
        if (best == "") break
        drawn[best] = 1
        printf "%-38s %4d %s\n", best, least[0, best, 512], bar(least[0, best, 512])
    }
}
