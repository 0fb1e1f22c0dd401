# fish completion for cni-steward; load it with: cni-steward completion fish | source
function __cni_steward_complete
    set -l words (commandline -opc)
    set -l last (commandline -ct)
    set -l found ($words[1] __complete -- $words[2..-1] "$last" 2>/dev/null)
    string match -v -r '^:\d$' -- $found
    contains -- :0 $found; and __fish_complete_path "$last"
end
complete -k -c cni-steward -f -a '(__cni_steward_complete)'
complete -k -c kubectl-cni_steward -f -a '(__cni_steward_complete)'
