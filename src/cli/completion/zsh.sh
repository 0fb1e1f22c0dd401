#compdef cni-steward kubectl-cni_steward
# zsh completion for cni-steward; load it with: source <(cni-steward completion zsh)
_cni_steward() {
  local word directive result=1
  local -a found
  while IFS= read -r word; do
    if [[ $word == :[0-9] ]]; then
      directive=$word
    elif [[ $word == *$'\t'* ]]; then
      found+=("${${word%%$'\t'*}//:/\\:}:${word#*$'\t'}")
    else
      found+=("${word//:/\\:}")
    fi
  done < <("${words[1]}" __complete -- "${(@)words[2,CURRENT]}" 2>/dev/null)
  (( ${#found} )) && _describe -V 'cni-steward' found && result=0
  [[ $directive == :0 ]] && _files && result=0
  return result
}
if [[ ${funcstack[1]} == _cni-steward ]]; then _cni_steward "$@"; else compdef _cni_steward cni-steward kubectl-cni_steward; fi
