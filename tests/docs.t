#!/usr/bin/perl
# SPDX-License-Identifier: MIT
# What README.md and docs/ name is there: files, functions, tests, options, targets.

use strict;
use warnings;
use File::Find;
use Test::More;

my @docs = ('README.md', 'lab/README.md', glob 'docs/*.md');

# slurp FILE: all of it.
sub slurp {
    open my $in, '<', $_[0] or die "$_[0]: $!";
    local $/;
    return scalar <$in>;
}

# The tree: each file by its path, by its name, and as plinth/x.h; each word in one that is
# no document, and in Xen's public headers.
my (%file, %word);
sub words { $word{$_} = 1 for $_[0] =~ /[A-Za-z_]\w*/g }
sub add {
    return unless -f && -T;
    $file{$_} = 1 for $_, m{([^/]+)$}, m{^include/(.*)};
    return if /\.(md|svg)$/;
    words(slurp($_));
}
sub add_found { my $path = $File::Find::name; add() for $path }
find({ wanted => \&add_found, no_chdir => 1 },
    qw(Makefile README.md LICENSE linker.ld xen-head.S arch bench docs drivers examples),
    qw(include kernel lab lib mm tests tools));
find({ wanted => sub { words(slurp($_)) if -f }, no_chdir => 1, follow => 1 },
    $ENV{XEN_HEADERS} // '/usr/include/xen');

# What there is besides: tests, by their functions' names; options of the kernel, targets of
# make, options of the scripts.
my $image = ($ENV{PLINTH_BUILD} // 'build') . '/selftest.elf';
my %test = map { $_ => 1 } `nm $image` =~ / test_(\w+)$/mg;
my %kernel = map { $_ => 1 } slurp('kernel/options.c') =~ /^    \{ "(\w+)", set_/mg;
my %target = map { $_ => 1 } map { split } slurp('Makefile') =~ /^\.PHONY: (.*)/mg;
my %option;
for my $script ('lab/run', 'lab/fetch', 'tests/on-xen') {
    $option{$script}{$_} = 1 for slurp($script) =~ /^ *(--[a-z0-9-]+)\)/mg;
}

# all_there NAME LIST: LIST, of what is missing, is empty.
sub all_there {
    my ($name, @missing) = @_;
    ok(!@missing, $name);
    diag(join "\n", @missing) if @missing;
}

# leads DOC LINK: is there such a file, with such a heading?
sub leads {
    my ($doc, $link) = @_;
    my ($path, $anchor) = split /#/, $link;
    my $file = $path eq '' ? $doc : ($doc =~ s{[^/]+$}{}r) . $path;
    return 0 unless -e $file;
    return 1 unless defined $anchor;
    my @anchors = map { lc(s/[^\w -]//gr =~ s/ /-/gr) } slurp($file) =~ /^#+ (.*)/mg;
    return grep { $_ eq $anchor } @anchors;
}

for my $doc (@docs) {
    my $text = slurp($doc);
    my $here = $doc =~ s{[^/]+$}{}r;
    (my $prose = $text) =~ s/^```.*?^```//msg;
    my @quoted = map { s/\s+/ /gr } $prose =~ /`([^`]+)`/g;

    all_there("$doc: links and images", grep { !leads($doc, $_) } $prose =~ /\]\(([^):]+)\)/g);
    # Files of Xen's own tree are named from its top, xen/.
    all_there("$doc: files", grep {
        m{^[\w./-]+\.(?:c|h|S|md|t|sh|ld|awk|mk)$} && !m{^xen/} && !$file{$_} && !-e $here . $_
    } @quoted);
    all_there("$doc: functions", grep { /^(\w+)\(\w*\)$/ && !$word{$1} } @quoted);
    all_there("$doc: tests", grep { !/_md$/ && !$test{$_} }
        map { tr/./_/r } $text =~ /\[([a-z]\w*\.[a-z]\w*)\]/g);
    all_there("$doc: options of the kernel", grep { !$kernel{$_} } $prose =~ /\bplinth\.([a-z]+)=/g);
    all_there("$doc: targets of make", grep { !$target{$_} }
        $text =~ /^    make ([a-z]+)\b/mg, map { /^make ([a-z]+)$/ } @quoted);
    while ($text =~ /^    (lab\/run|lab\/fetch|tests\/on-xen) ([^#\n]*)/mg) {
        my ($command, $arguments) = ($1, $2);
        $arguments =~ s/"[^"]*"//g;
        all_there("$doc: options of $command",
            grep { !$option{$command}{$_} } $arguments =~ /(--[a-z0-9-]+)/g);
    }
}

for my $header (glob 'include/plinth/*.h') {
    my $own = qr{plinth/\w+\.h|docs/\w+\.md|(?:kernel|mm|lib|drivers|tests)/\w+\.[ch]};
    my @named = slurp($header) =~ m{(?<![\w/])($own)}g;
    all_there("$header: files", grep { !$file{$_} } @named) if @named;
}

# And what is there is named: options, pages of docs/, pictures.
my $readme = slurp('README.md');
sub unnamed { return grep { $readme !~ /[` ]\Q$_\E[=`]/ } @_ }
all_there('README.md has each option of the kernel', unnamed(map { "plinth.$_" } sort keys %kernel));
my ($own) = slurp('tests/selftest.c') =~ /options\[\] = \{(.*?)\};/s;
all_there('README.md has each option of the self-test', unnamed($own =~ /^ *"([\w.]+)",/mg));
all_there('plinth/options.h has each option of the kernel',
    grep { slurp('include/plinth/options.h') !~ /^ \*     plinth\.$_=/m } sort keys %kernel);
all_there('README.md has each page of docs/', unnamed(map { m{docs/(.*)} } glob 'docs/*.md'));
my $pages = join '', map { slurp($_) } @docs;
all_there('each picture is shown', grep { $pages !~ m{\Q$_\E} } map { m{docs/(.*)} } glob 'docs/img/*');

done_testing();
