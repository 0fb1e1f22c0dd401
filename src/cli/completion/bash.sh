# bash completion for cni-steward; load it with: source <(cni-steward completion bash)
_cni_steward() {
  local line=${COMP_LINE:0:COMP_POINT} word last kept directive IFS=$' \t\n'
  local -a words
  read -ra words <<<"$line"
  [[ $line == *[[:space:]] ]] && words+=("")
  last=${words[${#words[@]}-1]}
  # bash takes a colon or an equals sign for the end of a word and replaces only what follows.
  kept=${last%"${last##*[:=]}"}
  COMPREPLY=()
  while IFS= read -r word; do
    if [[ $word == :[0-9] ]]; then directive=$word; else word=${word%%$'\t'*}; COMPREPLY+=("${word#"$kept"}"); fi
  done < <("${words[0]/#\~/$HOME}" __complete -- "${words[@]:1}" 2>/dev/null)
  if [[ $directive == :0 ]]; then compopt -o default 2>/dev/null; else compopt +o default 2>/dev/null; fi
}
complete -o default -F _cni_steward cni-steward kubectl-cni_steward
