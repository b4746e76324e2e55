# Completions of kage for fish. In ~/.config/fish/config.fish:  kage completions fish | source

function __kage_complete
    set -l words (commandline --current-process --tokenize --cut-at-cursor)
    set -l current (commandline --current-token --cut-at-cursor)
    # What stands behind `--` is a command line of its own.
    if set -l at (contains --index -- -- $words)
        set -l command (string escape -- $words[(math $at + 1)..])
        complete --do-complete (string join ' ' -- $command $current)
    else
        kage __complete --current="$current" -- $words 2>/dev/null
    end
end

complete --command kage --exclusive --keep-order --arguments '(__kage_complete)'
