"""The jobs for spark-submit: options, inputs, tables and reports."""
