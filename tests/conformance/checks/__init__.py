"""What must hold, one function each, taking a case: so that they run over real adapters and over broken toys alike."""
