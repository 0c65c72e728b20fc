# fish completion for snapctl.  snapctl itself knows what can follow; what is in
# the store it tells to those who may ask it.
function __snapctl_words
    set -l words (commandline -opc)
    $words[1] completion words $words[2..-1] (commandline -ct) 2>/dev/null
end
complete -c snapctl -a '(__snapctl_words)'
