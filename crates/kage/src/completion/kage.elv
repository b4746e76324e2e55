# Completions of kage for elvish. In ~/.config/elvish/rc.elv:  eval (kage completions elvish | slurp)

use str

set edit:completion:arg-completer[kage] = {|@words|
    var answer = [(try { kage __complete --current=$words[-1] -- (all $words[..-1]) 2>/dev/null | from-lines } catch { nop })]
    for line $answer {
        var value @help = (str:split "\t" $line)
        if (eq $help []) {
            edit:complex-candidate $value
        } else {
            edit:complex-candidate $value &display=$value' ('$help[0]')'
        }
    }
}
