#compdef kage
# Completions of kage for zsh. In ~/.zshrc, after `compinit`:  source <(kage completions zsh)

_kage() {
    # What stands behind `--` is a command line of its own.
    local -i at=${words[(ie)--]}
    if (( at < CURRENT )); then
        shift $at words
        (( CURRENT -= at ))
        _normal
        return
    fi

    local line value
    local -a answer whole begun
    answer=("${(@f)$(kage __complete "--current=${(Q)PREFIX}" -- "${(@Q)words[1,CURRENT-1]}" 2>/dev/null)}")
    for line in $answer; do
        value=${${line%%$'\t'*}//:/\\:}
        [[ $line == *$'\t'* ]] && line=$value:${line#*$'\t'} || line=$value
        if [[ $value == *[/:=] ]]; then
            begun+=("$line")
        else
            whole+=("$line")
        fi
    done
    local -i found=1
    (( $#begun )) && _describe -V 'kage' begun -S '' && found=0
    (( $#whole )) && _describe -V 'kage' whole && found=0
    return found
}

if [[ ${funcstack[1]} == _kage ]]; then
    _kage "$@"
else
    compdef _kage kage
fi
