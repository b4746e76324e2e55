# Completions of kage for bash. In ~/.bashrc:  source <(kage completions bash)

_kage() {
    local rest=${COMP_LINE:0:COMP_POINT} words=() word trimmed start i

    # bash cuts words at `:` and `=` as well: what stands without a space between is one word here.
    for ((i = 0; i <= COMP_CWORD; i++)); do
        word=${COMP_WORDS[i]}
        trimmed=${rest#"${rest%%[![:space:]]*}"}
        start=$((i == 0 || ${#trimmed} < ${#rest}))
        if [[ $trimmed == "$word"* ]]; then
            rest=${trimmed:${#word}}
        else
            word=$trimmed rest=
        fi
        if ((start)); then
            words+=("$word")
        else
            words[${#words[@]} - 1]+=$word
        fi
        # What stands behind `--` is a command line of its own.
        if [[ $word == -- && $i -lt $COMP_CWORD ]]; then
            _kage_command $((i + 1))
            return
        fi
    done

    # bash replaces what stands behind the last cut: `$2`.
    local current=${words[${#words[@]} - 1]} line value
    local kept=${current%"$2"}
    COMPREPLY=()
    while IFS= read -r line; do
        value=${line%%$'\t'*}
        value=${value#"$kept"}
        case $value in
            *[\ \'\"\\\$\`\;\&\|\<\>\(\)\*\?\[\]\{\}!\#]*) value=$(printf %q "$value") ;;
        esac
        COMPREPLY+=("$value")
    done < <(kage __complete "--current=$current" -- "${words[@]:0:${#words[@]} - 1}" 2>/dev/null)
    case ${#COMPREPLY[@]}${COMPREPLY[0]-} in
        1*[/:=]) compopt -o nospace 2>/dev/null ;;
    esac
}

_kage_command() {
    if declare -F _command_offset >/dev/null; then
        _command_offset "$1"
    elif ((COMP_CWORD == $1)); then
        COMPREPLY=()
        while IFS= read -r word; do
            COMPREPLY+=("$word")
        done < <(compgen -c -- "${COMP_WORDS[COMP_CWORD]}")
    fi
}

complete -o bashdefault -o default -F _kage kage
