# Completions of kage for PowerShell. In $PROFILE:  kage completions powershell | Out-String | iex

Register-ArgumentCompleter -Native -CommandName kage -ScriptBlock {
    param($wordToComplete, $commandAst, $cursorPosition)

    $words = @($commandAst.CommandElements |
        Where-Object { $_.Extent.EndOffset -lt $cursorPosition } |
        ForEach-Object { if ($null -ne $_.Value) { "$($_.Value)" } else { $_.Extent.Text } })
    kage __complete "--current=$wordToComplete" -- @words 2>$null | ForEach-Object {
        $value, $help = $_ -split "`t", 2
        $written = $value
        if ($value -notmatch '^[\w./:~%+=,@-]+$' -or $value.StartsWith('@')) {
            $written = "'" + $value.Replace("'", "''") + "'"
        }
        if (-not $help) { $help = $value }
        [System.Management.Automation.CompletionResult]::new(
            $written, $value, [System.Management.Automation.CompletionResultType]::ParameterValue, $help)
    }
}
