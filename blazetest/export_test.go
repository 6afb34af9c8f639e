package blazetest

// RestartBot is used by scripts and the control interface.
var RestartBot = (*Server).restartBot
