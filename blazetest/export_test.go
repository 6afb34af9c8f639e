package blazetest

// RestartBot is what scripts and the control interface do.
var RestartBot = (*Server).restartBot
