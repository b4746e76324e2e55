# Runs a command that descends from nothing that started it: its ancestors are not this test's.
# What it gets and how it ends is as if it had been started directly.
use strict;
use warnings;
use Config;
use POSIX ();

my @leave_to_the_command = qw(INT QUIT HUP TSTP TERM);
$SIG{$_} = 'IGNORE' for @leave_to_the_command;

sub started { my $process = fork; defined $process or die "fork: $!"; return $process }

pipe my $report, my $ending or die "pipe: $!";
my $between = started();
if (!$between) {
    my $between = $$;
    POSIX::_exit(0) if started();
    # An orphan is adopted by a process that adopts, and then the way up is another one.
    select undef, undef, undef, 0.001 while getppid == $between;
    my $command = started();
    if (!$command) {
        $SIG{$_} = 'DEFAULT' for @leave_to_the_command;
        exec { $ARGV[0] } @ARGV or print STDERR "$ARGV[0]: $!\n";
        POSIX::_exit(127);
    }
    close $_ for \*STDIN, \*STDOUT, \*STDERR;
    waitpid $command, 0;
    syswrite $ending, pack 'l', $?;
    POSIX::_exit(0);
}
close $_ for $ending, \*STDIN, \*STDOUT;
waitpid $between, 0;
sysread($report, my $packed, 4) == 4 or die "no report";
my $ended = unpack 'l', $packed;
my $signal = $ended & 127;
if ($signal) {
    # The end by a signal is passed on.
    my $name = (split ' ', $Config{sig_name})[$signal];
    $SIG{$name} = 'DEFAULT' if $name ne 'KILL';
    kill $signal, $$;
    sleep 1 while 1;
}
exit $ended >> 8;
