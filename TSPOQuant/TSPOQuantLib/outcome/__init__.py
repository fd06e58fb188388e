"""V_T (shown as Vr), its uncertainty, comparability of visits, clinical scores."""
