# PowerShell completion for cni-steward; load it with: cni-steward completion powershell | Out-String | Invoke-Expression
Register-ArgumentCompleter -Native -CommandName 'cni-steward', 'kubectl-cni_steward' -ScriptBlock {
    param($last, $line, $cursor)
    $program, $words = $line.CommandElements | Where-Object { $_.Extent.StartOffset -lt $cursor } | ForEach-Object { "$_" }
    $words = @($words)
    # Before 7.3 an empty argument is lost on its way to a program unless it is written as two quotes.
    if ($last -eq '') { $words += if ($PSVersionTable.PSVersion -lt [version]'7.3') { '""' } else { '' } }
    & $program __complete -- @words 2>$null | Where-Object { $_ -notmatch '^:\d$' } | ForEach-Object {
        $word, $about = $_ -split "`t", 2
        if (-not $about) { $about = $word }
        [System.Management.Automation.CompletionResult]::new($word, $word, 'ParameterValue', $about)
    }
}
