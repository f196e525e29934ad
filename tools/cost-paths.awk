# SPDX-License-Identifier: MIT
#
# The figures bare.* of bench.elf, as the tables and bars of docs/memory.md:
#
#   awk -f tools/cost-paths.awk build/bench/dom0.log build/bench/domU.log
#
# A line of it: "bench: bare.PATH.ENTRIES LEAST insn/entry cold FIRST-TIME".

function bar(n,   s) { for (s = ""; n >= 25; n -= 50) s = s "#"; return s }
function cell(n) { return n == "" ? "-" : n }

/^bench: bare\..* insn\/entry / {
    sub(/\r$/, "")
    match($2, /\.[0-9]+$/)
    name = substr($2, 6, RSTART - 6)
    n = substr($2, RSTART + 1) + 0
    domain = FILENAME == ARGV[1] ? 0 : 1
    if (!(name in seen)) { seen[name] = 1; names[++nr] = name }
    if (n > 1) batch[name] = n > batch[name] + 0 ? n : batch[name]
    first[domain, name, n] = int($6)
    least[domain, name, n] = int($3)
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
