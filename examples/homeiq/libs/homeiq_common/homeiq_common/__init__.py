"""What the services of the HomeIQ example share: settings, logging, database, service shell, workers."""
