"""Files a user may edit; travels in the wheel as sparksweep.conf."""
