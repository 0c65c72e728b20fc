# fish completion for firnmail, which itself knows what can follow.
function __firnmail_words
    set -l words (commandline -opc)
    $words[1] completion words $words[2..-1] (commandline -ct) 2>/dev/null
end
complete -c firnmail -a '(__firnmail_words)'
