"""The command `spark-keyframes`: a file per subcommand, imported when it is called."""
